use std::collections::BTreeSet;

use cel::{
    IdedExpr as Tree, Value,
    common::ast::{EntryExpr, Expr},
    objects::Key,
};

use super::variables;

/// The most operations in an expression, as it is after macros were expanded.
const MAX_NODES: u64 = 500;
/// The most loops in one another: with two, all pairs can be looked at.
const MAX_LOOPS: u32 = 2;
/// The most that evaluating may cost: operations, times the elements that loops go through, times the
/// kibibytes of the longest text. About a second.
const MAX_COST: u64 = 5_000_000;

/// What can be called. Operators have other names.
const FUNCTIONS: [&str; 11] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "string",
    "int",
    "uint",
    "double",
    "bool",
    "bytes",
    "type",
];

/// What evaluating an expression costs, and what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) variables: BTreeSet<String>,
    nodes: u64,
    loops: u32,
}

/// How many brackets are open at once; texts may make it too many, never too few.
pub(super) fn brackets(text: &str) -> usize {
    let mut open = 0_usize;
    let mut most = 0;
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

impl Shape {
    /// Looks at an expression; the error says what it must not be.
    pub(super) fn of(tree: &Tree) -> Result<Self, String> {
        let mut walk = Walk { nodes: 0, variables: BTreeSet::new(), bound: Vec::new() };
        let loops = walk.visit(tree)?;
        if loops > MAX_LOOPS {
            return Err(format!("expected at most {MAX_LOOPS} loops in one another"));
        }
        Ok(Self { variables: walk.variables, nodes: walk.nodes, loops })
    }

    /// Whether it can be evaluated about these values in a time that does not matter.
    pub(super) fn affords<'v>(
        &self,
        values: impl IntoIterator<Item = &'v Value>,
    ) -> Result<(), String> {
        let mut measure = Measure::default();
        values.into_iter().for_each(|value| measure.add(value));
        let elements = measure.elements.max(1).saturating_pow(self.loops);
        let texts = 1 + measure.text / 1024;
        let cost = self.nodes.saturating_mul(elements).saturating_mul(texts);
        if cost > MAX_COST {
            return Err(format!(
                "too much to look at: {} elements and texts of up to {} bytes",
                measure.elements, measure.text
            ));
        }
        Ok(())
    }
}

struct Walk<'t> {
    nodes: u64,
    variables: BTreeSet<String>,
    /// Names that loops give to what they are at.
    bound: Vec<&'t str>,
}

impl<'t> Walk<'t> {
    /// Looks at a part; how many loops are in one another there.
    fn visit(&mut self, tree: &'t Tree) -> Result<u32, String> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(format!("expected at most {MAX_NODES} operations"));
        }
        match &tree.expr {
            Expr::Literal(_) => Ok(0),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => self.visit(&select.operand),
            Expr::List(list) => self.all(&list.elements),
            Expr::Call(call) => {
                let is_word = call.func_name.starts_with(|c: char| c.is_ascii_alphabetic());
                if is_word && !FUNCTIONS.contains(&call.func_name.as_str()) {
                    let known = FUNCTIONS.join(", ");
                    return Err(format!("there is no `{}()`; expected {known}", call.func_name));
                }
                let target = call.target.as_deref().map_or(Ok(0), |target| self.visit(target))?;
                Ok(self.all(&call.args)?.max(target))
            }
            Expr::Map(map) => {
                let mut loops = 0;
                for entry in &map.entries {
                    let EntryExpr::MapEntry(entry) = &entry.expr else { return Err(made()) };
                    loops = loops.max(self.visit(&entry.key)?).max(self.visit(&entry.value)?);
                }
                Ok(loops)
            }
            Expr::Comprehension(one) => {
                // What a loop makes may be as long as what it went through, squared.
                let range = self.visit(&one.iter_range)?;
                let names = [Some(&one.iter_var), one.iter_var2.as_ref(), Some(&one.accu_var)];
                let before = self.bound.len();
                self.bound.extend(names.into_iter().flatten().map(String::as_str));
                let mut inside = 0;
                for part in [&one.accu_init, &one.loop_cond, &one.loop_step, &one.result] {
                    inside = inside.max(self.visit(part)?);
                }
                self.bound.truncate(before);
                Ok(range + inside + 1)
            }
            Expr::Struct(_) => Err(made()),
            Expr::Unspecified => Err("expected an expression of CEL".to_owned()),
        }
    }

    fn all(&mut self, trees: &'t [Tree]) -> Result<u32, String> {
        trees.iter().try_fold(0, |most, tree| Ok(self.visit(tree)?.max(most)))
    }

    fn name(&mut self, name: &'t str) -> Result<u32, String> {
        if self.bound.contains(&name) {
            return Ok(0);
        }
        if !variables::names().any(|known| known == name) {
            let known: Vec<&str> = variables::names().collect();
            let name = crate::document::shortened(name);
            return Err(format!("there is no `{name}`; expected {}", known.join(", ")));
        }
        self.variables.insert(name.to_owned());
        Ok(0)
    }
}

fn made() -> String {
    "nothing can be made of a type; expected a comparison".to_owned()
}

/// The longest list or map, and the longest text.
#[derive(Default)]
struct Measure {
    elements: u64,
    text: u64,
}

impl Measure {
    fn add(&mut self, value: &Value) {
        match value {
            Value::List(list) => {
                self.elements = self.elements.max(count(list.len()));
                list.iter().for_each(|value| self.add(value));
            }
            Value::Map(map) => {
                self.elements = self.elements.max(count(map.map.len()));
                for (key, value) in map.map.iter() {
                    if let Key::String(key) = key {
                        self.text = self.text.max(count(key.len()));
                    }
                    self.add(value);
                }
            }
            Value::String(text) => self.text = self.text.max(count(text.len())),
            _ => {}
        }
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
