//! Telling whoever moves traffic.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde::Serialize;

use crate::{
    Rollout, Shift, ShiftError, Traffic,
    answer::shortened,
    fetch::{self, Answered},
    signature::Key,
};

/// What is sent.
#[derive(Serialize)]
struct Message<'a> {
    r#type: &'static str,
    promotion: &'a str,
    channel: String,
    environment: &'a str,
    service: &'a str,
    repository: &'a str,
    digest: String,
    previous: Option<String>,
    weight: u8,
}

/// How long is waited before it is asked again whether something is done.
const PAUSE: Duration = Duration::from_secs(1);

impl Rollout {
    /// Has traffic moved, and returns when that is acknowledged: by a status of success, or, where it is
    /// 202 with a `Location`, by a success there. An answer that takes longer than the timeout is to be
    /// asked for again by calling this again.
    pub async fn shift(&self, shift: &Shift) -> Result<(), ShiftError> {
        let traffic = self.shared.settings.traffic.as_ref().ok_or(ShiftError::NotConfigured)?;
        let later = |reason| ShiftError::Unacknowledged { reason };
        let body = serde_json::to_vec(&Message::of(shift)).map_err(|e| later(e.to_string()))?;
        let answered = self.tell(traffic, Method::POST, &traffic.url, &shift.key(), body).await?;
        if answered.status != StatusCode::ACCEPTED {
            return acknowledged(&answered);
        }
        let Some(location) = &answered.location else { return Ok(()) };
        let url = traffic.url.join(location).ok();
        let own = url.filter(|url| url.origin() == traffic.url.origin());
        let url = own.ok_or_else(|| later("it says to ask at another host".to_owned()))?;
        let key = shift.key();
        let poll = self.poll(traffic, &url, &key);
        let timeout = self.shared.web.timeout;
        tokio::time::timeout(timeout, poll)
            .await
            .unwrap_or_else(|_| Err(later(format!("it is not done after {timeout:?}"))))
    }

    async fn poll(&self, traffic: &Traffic, url: &Url, key: &str) -> Result<(), ShiftError> {
        loop {
            let answered = self.tell(traffic, Method::GET, url, key, Vec::new()).await?;
            if answered.status != StatusCode::ACCEPTED {
                return acknowledged(&answered);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn tell(
        &self,
        traffic: &Traffic,
        method: Method,
        url: &Url,
        id: &str,
        body: Vec<u8>,
    ) -> Result<Answered, ShiftError> {
        let told = async {
            let secret = fetch::secret(&traffic.secret_file, "rollout.traffic.secret_file").await?;
            let key =
                Key::new(&secret).map_err(|why| format!("`rollout.traffic.secret_file`: {why}"))?;
            let request = self.shared.web.request(method, url)?;
            self.shared.web.send(signed(request, &key, id, body)).await
        };
        told.await.map_err(|reason| ShiftError::Unacknowledged { reason })
    }
}

fn signed(request: RequestBuilder, key: &Key, id: &str, body: Vec<u8>) -> RequestBuilder {
    let seconds = Timestamp::now().as_second();
    request
        .header("content-type", "application/json")
        .header("idempotency-key", id)
        .header("webhook-id", id)
        .header("webhook-timestamp", seconds.to_string())
        .header("webhook-signature", key.sign(id, seconds, &body))
        .body(body)
}

fn acknowledged(answered: &Answered) -> Result<(), ShiftError> {
    let status = answered.status;
    if status.is_success() {
        return Ok(());
    }
    let reason = shortened(&String::from_utf8_lossy(&answered.body));
    let for_now = [
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::CONFLICT,
        StatusCode::TOO_EARLY,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    let status = status.as_u16();
    if answered.status.is_client_error() && !for_now.contains(&answered.status) {
        return Err(ShiftError::Refused { status, reason });
    }
    Err(ShiftError::Unacknowledged { reason: format!("status {status}: {reason}") })
}

impl<'a> Message<'a> {
    fn of(shift: &'a Shift) -> Self {
        Self {
            r#type: "traffic.shift",
            promotion: &shift.promotion,
            channel: shift.channel.to_string(),
            environment: shift.channel.environment(),
            service: &shift.service,
            repository: shift.repository.as_str(),
            digest: shift.digest.to_string(),
            previous: shift.previous.map(|digest| digest.to_string()),
            weight: shift.weight,
        }
    }
}
