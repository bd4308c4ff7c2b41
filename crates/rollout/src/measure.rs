use jiff::Timestamp;
use plura_policy::{
    TimeSpan,
    analysis::{Measured, Measurement, Samples},
    document::Metric,
};
use reqwest::{
    Method, Url,
    header::{AUTHORIZATION, HeaderValue},
};

use crate::{About, Prometheus, Rollout, answer, fetch, query::filled};

/// The most samples of a range, which the figures of both are compared by.
const MOST: i64 = 1000;

impl Rollout {
    /// What a metric is now; of one that is compared, also what it was since the stage began. Whatever
    /// is in the way is an answer as well: what is not known says nothing about the image.
    pub async fn measure(
        &self,
        metric: &Metric,
        about: &About,
        since: Timestamp,
        now: Timestamp,
    ) -> Measurement {
        let value = self.value(metric, about, since, now).await;
        let value = value.unwrap_or_else(Measured::Missing);
        Measurement { metric: metric.name.clone(), at: now, value }
    }

    async fn value(
        &self,
        metric: &Metric,
        about: &About,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Measured, String> {
        let server = self.shared.settings.prometheus.as_ref();
        let server = server.ok_or("no server with figures is set (`rollout.prometheus.url`)")?;
        let query = filled(&metric.query, about)?;
        let (Some(baseline), true) = (&metric.baseline, about.previous.is_some()) else {
            let body = self.ask(server, "query", &[("query", &query), ("time", &at(now))]).await?;
            return Ok(Measured::Number(answer::number(&body)?));
        };
        let baseline = filled(&baseline.query, about)?;
        let range = Range::of(metric.every, since, now);
        let canary = self.samples(server, &query, range).await?;
        let baseline = self.samples(server, &baseline, range).await?;
        Ok(Measured::Samples(Samples { canary, baseline }))
    }

    async fn samples(
        &self,
        server: &Prometheus,
        query: &str,
        range: Range,
    ) -> Result<Vec<f64>, String> {
        let Some((start, end)) = range.ends else { return Ok(Vec::new()) };
        let step = range.step.to_string();
        let form = [("query", query), ("start", &at(start)), ("end", &at(end)), ("step", &step)];
        answer::samples(&self.ask(server, "query_range", &form).await?)
    }

    async fn ask(
        &self,
        server: &Prometheus,
        endpoint: &str,
        form: &[(&str, &str)],
    ) -> Result<Vec<u8>, String> {
        let web = &self.shared.web;
        let seconds = web.timeout.as_secs_f64().to_string();
        let form = form.iter().copied().chain([("timeout", seconds.as_str())]);
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = web.request(Method::POST, &endpoint_of(&server.url, endpoint))?;
        if let Some(path) = &server.token_file {
            let token = fetch::secret(path, "rollout.prometheus.token_file").await?;
            let mut header = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| "`rollout.prometheus.token_file` holds no token".to_owned())?;
            header.set_sensitive(true);
            request = request.header(AUTHORIZATION, header);
        }
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answered = web.send(request.body(form)).await?;
        if answered.status.is_success() {
            return Ok(answered.body);
        }
        let status = answered.status.as_u16();
        Err(answer::error(&answered.body)
            .map_or(format!("the answer is status {status}"), |why| format!("{status}: {why}")))
    }
}

/// When samples are taken: one of each step, none of which looks at the time before the stage.
#[derive(Clone, Copy)]
struct Range {
    ends: Option<(Timestamp, Timestamp)>,
    step: i64,
}

impl Range {
    fn of(every: TimeSpan, since: Timestamp, now: Timestamp) -> Self {
        let length = TimeSpan::between(since, now).seconds();
        let step = every.seconds().max(length.div_euclid(MOST) + 1);
        let start = since.saturating_add(jiff::SignedDuration::from_secs(step)).ok();
        Self { ends: start.filter(|start| *start <= now).map(|start| (start, now)), step }
    }
}

/// Below the address, which may have a path of its own.
fn endpoint_of(base: &Url, endpoint: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/api/v1/{endpoint}", base.path().trim_end_matches('/')));
    url
}

/// A time as the API takes it.
fn at(time: Timestamp) -> String {
    time.to_string()
}
