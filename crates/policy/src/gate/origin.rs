use crate::{ChannelName, facts::ChannelStay, time_span::TimeSpan};

use super::{Case, Gate, Judgement};

/// The image comes from a channel before this one, and has been there for long enough. Whoever
/// promotes by hand waits as well.
#[derive(Debug)]
pub(crate) struct OriginGate {
    /// One of these is enough.
    pub(crate) from: Vec<ChannelName>,
    pub(crate) soak: Option<TimeSpan>,
}

impl Gate for OriginGate {
    fn judge(&self, case: &Case<'_>) -> Vec<Judgement> {
        let channels: Vec<String> = self.from.iter().map(ToString::to_string).collect();
        let channels = channels.join(" or ");
        let required = match self.soak {
            Some(soak) => format!("in {channels} for {soak}"),
            None => format!("in {channels}"),
        };
        let stays = case.facts.channels.iter().filter(|stay| self.from.contains(&stay.channel));
        let Some(stay) = stays.min_by_key(|stay| stay.since) else {
            let fix = format!("promote it to {channels} first");
            return vec![Judgement::deny(observed(&case.facts.channels), required, fix)];
        };
        let so_far = TimeSpan::between(stay.since, case.now).roughly();
        let observed = format!("in {} for {so_far}", stay.channel);
        let over = self.soak.map(|soak| soak.after(stay.since));
        vec![match over.filter(|over| *over > case.now) {
            Some(over) => {
                let fix = format!("leave it in {} until then", stay.channel);
                Judgement::wait(observed, required, fix).until(Some(over))
            }
            None => Judgement::allow(observed, required),
        }]
    }

    fn is_about_moves(&self) -> bool {
        true
    }
}

fn observed(stays: &[ChannelStay]) -> String {
    if stays.is_empty() {
        return "in no channel".to_owned();
    }
    format!("in {}", super::listed(stays.iter().map(|stay| stay.channel.to_string())))
}
