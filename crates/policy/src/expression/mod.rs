//! What users ask for in words of their own: expressions of CEL about the facts.
//!
//! An expression comes from somebody who may change the policy, what it is evaluated about from
//! anybody who may push. Both are bounded before anything is evaluated, and nothing that goes wrong is
//! a yes.

mod bounds;
mod variables;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    str::FromStr,
    sync::{Arc, LazyLock},
};

use cel::{Context, Env, ExecutionError, IdedExpr as Tree, Value};

use jiff::Timestamp;

use crate::{
    TimeSpan,
    facts::{Known, ManifestFacts},
    gate::Case,
};

use bounds::Shape;

/// Nesting is limited by the library as it parses; no sensible expression comes near.
const MAX_DEPTH: u16 = 24;

/// The standard library without regular expressions, times and optional values: what is left takes
/// time in proportion to what it is given.
static LIBRARY: LazyLock<Arc<Env>> =
    LazyLock::new(|| Arc::new(Env::stdlib().with_optional_support(false)));

/// An expression that was checked: it is of bounded cost, and names only what there is.
#[derive(Debug)]
pub(crate) struct Expression {
    tree: Tree,
    shape: Shape,
}

/// For how long an answer holds that the clock is part of: nobody can say when it becomes another one.
const CLOCK_HOLDS: TimeSpan = TimeSpan::from_seconds(60);

/// What an expression says about facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is true, or false.
    Is(bool),
    /// Something that it needs is not known yet, and what is waited for.
    Waiting(String),
    /// It cannot be said, and why.
    Failed(String),
}

/// Why a text is not an expression that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ParseExpressionError(String);

impl Expression {
    /// The most bytes of an expression.
    pub(crate) const MAX_LENGTH: usize = 2_048;

    /// Evaluates it about one of the manifests of a case.
    pub(crate) fn evaluate(&self, case: &Case<'_>, manifest: &ManifestFacts) -> Answer {
        let mut context = Context::with_env(Arc::clone(&LIBRARY));
        let mut values = Vec::new();
        for name in &self.shape.variables {
            match variables::value(name, case, manifest) {
                Known::Known(value) => values.push((name, value)),
                Known::Absent(_) => values.push((name, Value::Null)),
                Known::Waiting(what) => return Answer::Waiting(what),
            }
        }
        if let Err(reason) = self.shape.affords(values.iter().map(|(_, value)| value)) {
            return Answer::Failed(reason);
        }
        for (name, value) in values {
            context.add_variable_from_value(name.as_str(), value);
        }
        // The library panics where it believes that something cannot be. The values are dropped
        // then, and nothing else was borrowed.
        let evaluated = catch_unwind(AssertUnwindSafe(|| context.resolve(&self.tree)));
        match evaluated {
            Ok(Ok(Value::Bool(answer))) => Answer::Is(answer),
            Ok(Ok(other)) => {
                Answer::Failed(format!("it is {}, not true or false", other.type_of()))
            }
            Ok(Err(error)) => Answer::Failed(words(&error)),
            Err(_) => Answer::Failed("the evaluator failed".to_owned()),
        }
    }
}

impl Expression {
    /// When time alone may change the answer.
    pub(crate) fn until(&self, case: &Case<'_>, manifest: &ManifestFacts) -> Option<Timestamp> {
        let names = |name: &str| self.shape.variables.contains(name);
        let clock = names("now").then(|| CLOCK_HOLDS.after(case.now));
        let known = manifest.vulnerabilities.known().filter(|_| names("vulnerabilities"));
        let exceptions = known.into_iter().flatten().filter_map(|one| one.excepted_until(case.now));
        exceptions.chain(clock).min()
    }
}

impl FromStr for Expression {
    type Err = ParseExpressionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |reason: String| Err(ParseExpressionError(reason));
        if text.trim().is_empty() || text.len() > Self::MAX_LENGTH {
            return error(format!("expected an expression of 1 to {} bytes", Self::MAX_LENGTH));
        }
        // Before the parser, whose own bound counts what it has entered already.
        if bounds::brackets(text) > usize::from(MAX_DEPTH) {
            return error(format!("expected at most {MAX_DEPTH} brackets in one another"));
        }
        let parser = || LIBRARY.parser().max_recursion_depth(MAX_DEPTH).parse(text);
        let parsed = catch_unwind(AssertUnwindSafe(parser));
        let tree = match parsed {
            Ok(Ok(tree)) => tree,
            Ok(Err(errors)) => {
                let first = errors.errors.first().map(|error| error.msg.clone());
                let first = crate::document::shortened(first.unwrap_or_default().trim());
                return error(format!("expected an expression of CEL ({first})"));
            }
            Err(_) => return error("expected an expression of CEL".to_owned()),
        };
        let shape = Shape::of(&tree).map_err(ParseExpressionError)?;
        Ok(Self { tree, shape })
    }
}

/// The error without the values in it: these may be large, and their order is not always the same.
fn words(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => {
            format!("there is no `{}`", crate::document::shortened(key))
        }
        ExecutionError::NoSuchOverload(error) => {
            let types = error.argument_types().join(", ");
            format!("`{}` cannot be applied to {types}", error.function())
        }
        ExecutionError::UndeclaredReference(name) => {
            format!("there is no `{}`", crate::document::shortened(name))
        }
        ExecutionError::IndexOutOfBounds(_) => "the list is not that long".to_owned(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "it divides by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "a number is too large".to_owned(),
        ExecutionError::ValuesNotComparable(..) => "things of two kinds are compared".to_owned(),
        _ => "it cannot be evaluated about this image".to_owned(),
    }
}
