//! Nodes -> values: substitutions, concatenations and repeated assignments are worked out.

use super::node::{Fields, Node, NodeKind, Substitution};
use crate::{
    ConfigError, Environment,
    value::{Kind, Members, Origin, Value},
};

/// The value of a whole file, or of a single value.
pub(super) fn resolve(root: &Node, environment: &Environment) -> Result<Value, ConfigError> {
    let mut resolver = Resolver { root, environment, in_progress: Vec::new() };
    let value = resolver.node(root)?;
    Ok(value.unwrap_or_else(|| Value::new(Kind::Null, root.origin.clone())))
}

struct Resolver<'a> {
    root: &'a Node,
    environment: &'a Environment,
    /// The assignments being worked out: one that refers to its own key means the assignments before it.
    in_progress: Vec<&'a Node>,
}

/// One assignment of a key.
enum Layer<'a> {
    Node(&'a Node),
    /// Found inside the value of a substitution.
    Value(Value),
}

impl<'a> Resolver<'a> {
    /// `None`: an optional substitution that stands for nothing.
    fn node(&mut self, node: &'a Node) -> Result<Option<Value>, ConfigError> {
        let kind = match &node.kind {
            NodeKind::Scalar(kind) => kind.clone(),
            NodeKind::List(items) => {
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    values.extend(self.node(item)?);
                }
                Kind::List(values)
            }
            NodeKind::Object(fields) => Kind::Object(self.fields(fields)?),
            NodeKind::Substitution(substitution) => return self.substitution(substitution, &node.origin),
            NodeKind::Concatenation(pieces) => return self.concatenation(pieces, &node.origin),
            NodeKind::Append(element) => Kind::List(self.node(element)?.into_iter().collect()),
        };
        Ok(Some(Value::new(kind, node.origin.clone())))
    }

    fn fields(&mut self, fields: &'a Fields) -> Result<Members, ConfigError> {
        let mut members = Members::new();
        for (key, layers) in fields {
            let layers: Vec<Layer<'a>> = layers.iter().map(Layer::Node).collect();
            if let Some(value) = self.fold(layers)? {
                members.insert(key.clone(), value);
            }
        }
        Ok(members)
    }

    /// The value after all these assignments.
    fn fold(&mut self, layers: Vec<Layer<'a>>) -> Result<Option<Value>, ConfigError> {
        let mut folded: Option<Value> = None;
        for layer in layers {
            let (value, appends) = match layer {
                Layer::Value(value) => (Some(value), false),
                Layer::Node(node) => {
                    self.in_progress.push(node);
                    let value = self.node(node);
                    self.in_progress.pop();
                    (value?, matches!(node.kind, NodeKind::Append(_)))
                }
            };
            let Some(value) = value else { continue };
            folded = Some(match folded {
                Some(before) if appends => append(before, value)?,
                Some(mut before) => {
                    merge_keeping_marks(&mut before, value);
                    before
                }
                None => value,
            });
        }
        Ok(folded)
    }

    fn substitution(&mut self, wanted: &Substitution, origin: &Origin) -> Result<Option<Value>, ConfigError> {
        if !wanted.scope.is_empty() {
            let scoped: Vec<String> = wanted.scope.iter().chain(&wanted.path).cloned().collect();
            if let Some(value) = self.look_up(&scoped)? {
                return Ok(Some(value));
            }
        }
        if let Some(value) = self.look_up(&wanted.path)? {
            return Ok(Some(value));
        }
        let name = wanted.path.join(".");
        if let Some(text) = self.environment.get(&name) {
            return Ok(Some(Value::new(Kind::Text(text.to_owned()), origin.clone())));
        }
        if wanted.optional {
            return Ok(None);
        }
        let reason = format!("${{{name}}} is neither a key of this file nor an environment variable");
        Err(ConfigError::Syntax { origin: origin.clone(), reason })
    }

    /// The value at a path of the file, as far as it is known without the assignments in progress.
    fn look_up(&mut self, path: &[String]) -> Result<Option<Value>, ConfigError> {
        let mut layers = vec![Layer::Node(self.root)];
        for key in path {
            let mut next: Vec<Layer<'a>> = Vec::new();
            for layer in layers {
                let value = match layer {
                    Layer::Node(node) => match &node.kind {
                        NodeKind::Object(fields) => {
                            next.extend(fields.get(key).into_iter().flatten().map(Layer::Node));
                            continue;
                        }
                        _ if self.is_in_progress(node) => break,
                        NodeKind::Substitution(_) | NodeKind::Concatenation(_) => {
                            self.in_progress.push(node);
                            let value = self.node(node);
                            self.in_progress.pop();
                            value?
                        }
                        _ => {
                            next.clear();
                            continue;
                        }
                    },
                    Layer::Value(value) => Some(value),
                };
                match value {
                    None => {}
                    Some(Value { kind: Kind::Object(mut members), .. }) => {
                        next.extend(members.shift_remove(key).map(Layer::Value));
                    }
                    Some(_) => next.clear(),
                }
            }
            layers = next;
        }
        let known = layers
            .iter()
            .position(|layer| matches!(layer, Layer::Node(node) if self.is_in_progress(node)))
            .unwrap_or(layers.len());
        layers.truncate(known);
        self.fold(layers)
    }

    fn is_in_progress(&self, node: &Node) -> bool {
        self.in_progress.iter().any(|other| std::ptr::eq(*other, node))
    }

    fn concatenation(&mut self, pieces: &'a [Node], origin: &Origin) -> Result<Option<Value>, ConfigError> {
        let mut values = Vec::with_capacity(pieces.len());
        for piece in pieces {
            values.extend(self.node(piece)?);
        }
        let spaces =
            |value: &Value| value.as_text().is_some_and(|text| text.chars().all(char::is_whitespace));
        if values.iter().any(|value| matches!(value.kind, Kind::Object(_) | Kind::List(_))) {
            values.retain(|value| !spaces(value));
            let mut joined: Option<Value> = None;
            for value in values {
                joined = Some(match joined {
                    None => value,
                    Some(mut before) => match (&before.kind, &value.kind) {
                        (Kind::Object(_), Kind::Object(_)) => {
                            merge_keeping_marks(&mut before, value);
                            before
                        }
                        (Kind::List(_), Kind::List(_)) => append(before, value)?,
                        _ => {
                            let reason = format!(
                                "{} and {} can't be joined into one value",
                                before.kind_name(),
                                value.kind_name()
                            );
                            return Err(ConfigError::Syntax { origin: origin.clone(), reason });
                        }
                    },
                });
            }
            return Ok(joined);
        }
        if values.is_empty() {
            return Ok(None);
        }
        let text: String = values.iter().map(scalar_text).collect();
        Ok(Some(Value::new(Kind::Text(text), origin.clone())))
    }
}

/// Merges inside one file: keys marked with `-` stay marked, they act between files.
fn merge_keeping_marks(base: &mut Value, over: Value) {
    let over = match over {
        Value { kind: Kind::Object(members), .. } if base.as_object().is_some() => members,
        other => {
            *base = other;
            return;
        }
    };
    let target = base.object_mut();
    for (key, value) in over {
        match target.get_mut(&key) {
            Some(known) => merge_keeping_marks(known, value),
            None => {
                target.insert(key, value);
            }
        }
    }
}

fn append(before: Value, more: Value) -> Result<Value, ConfigError> {
    let (Kind::List(mut items), Kind::List(more_items)) = (before.kind, more.kind) else {
        let reason = "+= needs a list to append to".to_owned();
        return Err(ConfigError::Syntax { origin: more.origin, reason });
    };
    items.extend(more_items);
    Ok(Value::new(Kind::List(items), before.origin))
}

fn scalar_text(value: &Value) -> String {
    match &value.kind {
        Kind::Null => "null".to_owned(),
        Kind::Bool(value) => value.to_string(),
        Kind::Integer(value) => value.to_string(),
        Kind::Float(value) => value.to_string(),
        Kind::Text(text) => text.clone(),
        Kind::List(_) | Kind::Object(_) => String::new(),
    }
}
