use crate::document::Freeze;

use super::{Case, Gate, Judgement};

/// Nothing moves while it is frozen.
#[derive(Debug)]
pub(crate) struct FreezeGate {
    pub(crate) freeze: Freeze,
}

impl Gate for FreezeGate {
    fn judge(&self, case: &Case<'_>) -> Vec<Judgement> {
        let Freeze { name, reason, time, .. } = &self.freeze;
        let required = format!("outside of the freeze {name}");
        vec![if (time.start..time.end).contains(&case.now) {
            let observed = format!("frozen until {}: {reason}", time.end);
            Judgement::wait(observed, required, "promote it then; it is not lost")
                .until(Some(time.end))
        } else {
            let ahead = Some(time.start).filter(|start| *start > case.now);
            let observed = match ahead {
                Some(start) => format!("frozen from {start}"),
                None => format!("over since {}", time.end),
            };
            Judgement::allow(observed, required).until(ahead)
        }]
    }

    fn is_about_moves(&self) -> bool {
        true
    }
}
