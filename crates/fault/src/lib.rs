//! Named points at which a test makes a debug build of plura fail or die.
//!
//! A release build has no fault points: [`point`] is then a constant `Ok`. Neither can its clock be put
//! forward, which a debug build believes of the file that `FAULT_CLOCK` names: a number of milliseconds.
//!
//! Points are armed by the environment of the process, `FAULT_POINTS=NAME=WHAT[,NAME=WHAT...]`, where
//! WHAT is `abort` (the process dies as by `kill -9`), `error` (the point returns an I/O error) or
//! `panic`, optionally behind `N*`, which lets the first N-1 passes through: `blob.seal.linked=3*abort`. Or by
//! [`arm`] inside the process.

/// What an armed point does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Returns an error.
    Error,
    /// Ends the process at once, without unwinding, flushing or closing anything.
    Abort,
    /// Panics, as code with a mistake in it does.
    Panic,
}

/// Passes a named point: `Ok` unless a test armed it.
#[cfg(not(debug_assertions))]
#[inline(always)]
#[expect(clippy::inline_always, reason = "vanishes from release builds")]
pub fn point(_name: &'static str) -> std::io::Result<()> {
    Ok(())
}

#[cfg(debug_assertions)]
pub use armed::{arm, point};

/// How far the clock of this process is put forward: not at all, unless a test did.
#[cfg(not(debug_assertions))]
#[inline(always)]
#[expect(clippy::inline_always, reason = "vanishes from release builds")]
pub const fn clock_ahead() -> std::time::Duration {
    std::time::Duration::ZERO
}

#[cfg(debug_assertions)]
pub use clock::{clock_ahead, put_clock_forward};

#[cfg(debug_assertions)]
mod clock {
    use std::{
        env,
        path::PathBuf,
        sync::{
            LazyLock,
            atomic::{AtomicU64, Ordering},
        },
        time::Duration,
    };

    static FILE: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| env::var_os("FAULT_CLOCK").map(PathBuf::from));
    static AHEAD: AtomicU64 = AtomicU64::new(0);

    /// How far the clock of this process is put forward: not at all, unless a test did.
    pub fn clock_ahead() -> Duration {
        if let Some(file) = &*FILE {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            // While it is written it may be empty; a clock that went back would be worse than a late one.
            AHEAD.fetch_max(text.trim().parse().unwrap_or(0), Ordering::Relaxed);
        }
        Duration::from_millis(AHEAD.load(Ordering::Relaxed))
    }

    /// Puts the clock of this process forward.
    pub fn put_clock_forward(by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        AHEAD.fetch_add(by, Ordering::Relaxed);
    }
}

#[cfg(debug_assertions)]
mod armed {
    use std::{
        collections::HashMap,
        io,
        sync::{LazyLock, Mutex, PoisonError},
    };

    use super::Fault;

    struct Armed {
        fault: Fault,
        passes_left: u32,
    }

    static ARMED: LazyLock<Mutex<HashMap<String, Armed>>> = LazyLock::new(|| {
        let from_environment = std::env::var("FAULT_POINTS").unwrap_or_default();
        Mutex::new(from_environment.split(',').filter_map(parse).collect())
    });

    /// Passes a named point: `Ok` unless a test armed it.
    pub fn point(name: &'static str) -> io::Result<()> {
        let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = armed.get_mut(name) else { return Ok(()) };
        if entry.passes_left > 0 {
            entry.passes_left -= 1;
            return Ok(());
        }
        let fault = entry.fault;
        // Unlocked, so that a panic poisons nothing.
        drop(armed);
        match fault {
            Fault::Error => Err(io::Error::other(format!("fault point {name}"))),
            Fault::Abort => std::process::abort(),
            Fault::Panic => std::panic::panic_any(format!("fault point {name}")),
        }
    }

    /// Arms a point of this process, or disarms it.
    pub fn arm(name: &str, fault: Option<Fault>) {
        let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
        match fault {
            Some(fault) => armed.insert(name.to_owned(), Armed { fault, passes_left: 0 }),
            None => armed.remove(name),
        };
    }

    /// An entry that is not understood must not pass silently as "no fault": the test would then
    /// show nothing.
    fn parse(entry: &str) -> Option<(String, Armed)> {
        if entry.is_empty() {
            return None;
        }
        let parsed = entry.split_once('=').and_then(|(name, what)| {
            let (count, what) = what.split_once('*').unwrap_or(("1", what));
            let passes_left = count.parse::<u32>().ok()?.checked_sub(1)?;
            let fault = match what {
                "abort" => Fault::Abort,
                "error" => Fault::Error,
                "panic" => Fault::Panic,
                _ => return None,
            };
            Some((name.to_owned(), Armed { fault, passes_left }))
        });
        assert!(parsed.is_some(), "FAULT_POINTS: `{entry}` is not NAME=[N*](abort|error|panic)");
        parsed
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_point_fails_from_the_nth_pass_on() {
            let (name, armed) = parse("p=3*error").unwrap();
            ARMED.lock().unwrap().insert(name, armed);
            let seen: Vec<bool> = (0..4).map(|_| point("p").is_ok()).collect();
            assert_eq!(seen, [true, true, false, false]);
            arm("p", None);
            assert!(point("p").is_ok());
            assert!(point("never armed").is_ok());
        }

        #[test]
        fn a_point_panics_and_others_still_work() {
            let (name, armed) = parse("q=panic").unwrap();
            ARMED.lock().unwrap().insert(name, armed);
            let panic = std::panic::catch_unwind(|| point("q")).unwrap_err();
            assert_eq!(panic.downcast_ref::<String>().unwrap(), "fault point q");
            arm("q", None);
            assert!(point("q").is_ok());
        }

        #[test]
        #[should_panic(expected = "is not NAME")]
        fn a_malformed_entry_is_an_error() {
            parse("p=explode");
        }
    }
}
