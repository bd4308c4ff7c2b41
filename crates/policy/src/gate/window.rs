use crate::calendar::{self, Opening, Window};

use super::{Case, Gate, Judgement};

/// It is done at a time at which it may be done.
#[derive(Debug)]
pub(crate) struct WindowGate {
    /// One that is open is enough.
    pub(crate) windows: Vec<(String, Window)>,
}

impl Gate for WindowGate {
    fn judge(&self, case: &Case<'_>) -> Vec<Judgement> {
        let names = super::listed(self.windows.iter().map(|(name, _)| name));
        let required = format!("within {names}");
        let windows: Vec<&Window> = self.windows.iter().map(|(_, window)| window).collect();
        vec![match calendar::any_of(&windows, case.now) {
            Opening::Open(end) => {
                Judgement::allow(format!("open until {end}"), required).until(Some(end))
            }
            Opening::Closed(Some(next)) => {
                let fix = "promote it then; it is not lost";
                Judgement::wait(format!("closed until {next}"), required, fix).until(Some(next))
            }
            Opening::Closed(None) => Judgement::deny(
                "never open",
                required,
                "change the windows: none of them is open for a moment of any week",
            ),
        }]
    }

    fn is_about_moves(&self) -> bool {
        true
    }
}
