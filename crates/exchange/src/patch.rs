//! JSON Patch (RFC 6902) on the lossless tree: what an operation does not name keeps its text, decimals included.

use dukou_fhir::{Issue, IssueType, Text, Value};

/// A checked patch document: the operations in order.
#[derive(Clone, Debug)]
pub struct Patch(Vec<Step>);

#[derive(Clone, Debug)]
struct Step {
    verb: Verb,
    path: Vec<String>,
}

#[derive(Clone, Debug)]
enum Verb {
    Add(Value<'static>),
    Replace(Value<'static>),
    Remove,
    Test(Value<'static>),
    Move(Vec<String>),
    Copy(Vec<String>),
}

impl Patch {
    /// Reads a patch document; a fault names the operation by its number.
    pub fn parse(document: &Value<'_>) -> Result<Patch, Issue> {
        let steps = document.as_array().ok_or_else(|| malformed("the document", "is not a list of operations"))?;
        if steps.len() > STEPS_MAX {
            return Err(malformed("the document", "has more than 1000 operations"));
        }
        steps.iter().enumerate().map(|(n, step)| Step::parse(n, step)).collect::<Result<_, _>>().map(Patch)
    }

    /// The content after all operations, or the first one that fails. The content given is not changed in that case.
    pub fn apply(&self, content: &Value<'_>) -> Result<Value<'static>, Issue> {
        let mut tree = content.clone().into_static();
        for (n, step) in self.0.iter().enumerate() {
            step.apply(&mut tree).map_err(|fault| refused(n, fault))?;
        }
        Ok(tree)
    }
}

impl Step {
    fn parse(n: usize, step: &Value<'_>) -> Result<Step, Issue> {
        let place = format!("operation {n}");
        let text =
            |name: &str| step.text_at(name).ok_or_else(|| malformed(&place, &format!("has no text in '{name}'")));
        let value = || {
            let value = step.as_object().and_then(|o| o.get("value")).cloned();
            value.map(Value::into_static).ok_or_else(|| malformed(&place, "has no 'value'"))
        };
        let verb = match text("op")? {
            "add" => Verb::Add(value()?),
            "replace" => Verb::Replace(value()?),
            "remove" => Verb::Remove,
            "test" => Verb::Test(value()?),
            "move" => {
                Verb::Move(pointer(text("from")?).ok_or_else(|| malformed(&place, "has no JSON pointer in 'from'"))?)
            }
            "copy" => {
                Verb::Copy(pointer(text("from")?).ok_or_else(|| malformed(&place, "has no JSON pointer in 'from'"))?)
            }
            _ => return Err(malformed(&place, "has an 'op' that is none of add, replace, remove, test, move, copy")),
        };
        let path = pointer(text("path")?).ok_or_else(|| malformed(&place, "has no JSON pointer in 'path'"))?;
        Ok(Step { verb, path })
    }

    fn apply(&self, tree: &mut Value<'static>) -> Result<(), Fault> {
        match &self.verb {
            Verb::Add(value) => add(tree, &self.path, value.clone()),
            Verb::Replace(value) => {
                *at_mut(tree, &self.path)? = value.clone();
                Ok(())
            }
            Verb::Remove => remove(tree, &self.path).map(drop),
            Verb::Test(value) => match same(at(tree, &self.path)?, value) {
                true => Ok(()),
                false => Err(Fault::TestFailed),
            },
            Verb::Move(from) => {
                if self.path.len() > from.len() && self.path.starts_with(from) {
                    return Err(Fault::IntoItself);
                }
                let value = remove(tree, from)?;
                add(tree, &self.path, value)
            }
            Verb::Copy(from) => {
                let value = at(tree, from)?.clone();
                add(tree, &self.path, value)
            }
        }
    }
}

#[derive(Debug)]
enum Fault {
    NoSuchPlace,
    TestFailed,
    IntoItself,
}

fn at<'t>(tree: &'t Value<'static>, path: &[String]) -> Result<&'t Value<'static>, Fault> {
    path.iter().try_fold(tree, |here, step| {
        match here {
            Value::Object(object) => object.get(step),
            Value::Array(list) => index(step, list.len()).and_then(|n| list.get(n)),
            _ => None,
        }
        .ok_or(Fault::NoSuchPlace)
    })
}

fn at_mut<'t>(tree: &'t mut Value<'static>, path: &[String]) -> Result<&'t mut Value<'static>, Fault> {
    path.iter().try_fold(tree, |here, step| {
        match here {
            Value::Object(object) => object.get_mut(step),
            Value::Array(list) => index(step, list.len()).and_then(|n| list.get_mut(n)),
            _ => None,
        }
        .ok_or(Fault::NoSuchPlace)
    })
}

fn add(tree: &mut Value<'static>, path: &[String], value: Value<'static>) -> Result<(), Fault> {
    let Some((last, parent)) = path.split_last() else {
        *tree = value;
        return Ok(());
    };
    match at_mut(tree, parent)? {
        Value::Object(object) => {
            object.insert(last.clone(), value);
            Ok(())
        }
        Value::Array(list) if last == "-" => {
            list.push(value);
            Ok(())
        }
        Value::Array(list) => {
            let n = index(last, list.len() + 1).ok_or(Fault::NoSuchPlace)?;
            list.insert(n, value);
            Ok(())
        }
        _ => Err(Fault::NoSuchPlace),
    }
}

fn remove(tree: &mut Value<'static>, path: &[String]) -> Result<Value<'static>, Fault> {
    let (last, parent) = path.split_last().ok_or(Fault::NoSuchPlace)?;
    match at_mut(tree, parent)? {
        Value::Object(object) => object.remove(last).ok_or(Fault::NoSuchPlace),
        Value::Array(list) => Ok(list.remove(index(last, list.len()).ok_or(Fault::NoSuchPlace)?)),
        _ => Err(Fault::NoSuchPlace),
    }
}

/// Equality of RFC 6902, section 4.6: the order of members does not count. Numbers are compared by their text.
fn same(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| same(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(x, y)| same(x, y)),
        _ => a == b,
    }
}

/// An index below `bound`, in decimal without leading zeros (RFC 6901, section 4).
fn index(step: &str, bound: usize) -> Option<usize> {
    let plain = step == "0" || (!step.starts_with('0') && !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit()));
    plain.then(|| step.parse().ok()).flatten().filter(|n| *n < bound)
}

/// The steps of a JSON pointer (RFC 6901), escapes resolved.
fn pointer(text: &str) -> Option<Vec<String>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let steps = text.strip_prefix('/')?.split('/').map(|step| step.replace("~1", "/").replace("~0", "~"));
    Some(steps.collect())
}

fn malformed(place: &str, what: &str) -> Issue {
    let zh = format!("补丁文档无效：{place} {what}");
    Issue::error(IssueType::Structure, "patch-malformed", Text::new(format!("patch: {place} {what}"), zh))
}

fn refused(n: usize, fault: Fault) -> Issue {
    let (code, en, zh) = match fault {
        Fault::NoSuchPlace => {
            ("patch-no-such-place", "names a place that the resource does not have", "所指位置在资源中不存在")
        }
        Fault::TestFailed => ("patch-test-failed", "is a test that does not hold", "测试条件不成立"),
        Fault::IntoItself => ("patch-into-itself", "moves a value into itself", "不能把值移动到自身之内"),
    };
    let kind = IssueType::Processing;
    Issue::error(kind, code, Text::new(format!("patch: operation {n} {en}"), format!("补丁第 {n} 步：{zh}")))
}

const STEPS_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use dukou_fhir::json;

    use super::*;

    fn value(text: &str) -> Value<'static> {
        json::parse(text.as_bytes(), &json::Limits::default()).unwrap().into_static()
    }

    fn patched(content: &str, patch: &str) -> Result<String, &'static str> {
        let tree = Patch::parse(&value(patch)).map_err(|i| i.code)?.apply(&value(content)).map_err(|i| i.code)?;
        let mut out = Vec::new();
        json::print(&tree, &mut out);
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn decimals_elsewhere_keep_their_text() {
        let out = patched(r#"{"a":5.10,"b":false}"#, r#"[{"op":"replace","path":"/b","value":true}]"#);
        assert_eq!(out.as_deref(), Ok(r#"{"a":5.10,"b":true}"#));
    }

    #[test]
    fn each_operation_does_what_the_standard_says() {
        let cases = [
            (r#"{"a":[1,2]}"#, r#"[{"op":"add","path":"/a/1","value":9}]"#, r#"{"a":[1,9,2]}"#),
            (r#"{"a":[1,2]}"#, r#"[{"op":"add","path":"/a/-","value":9}]"#, r#"{"a":[1,2,9]}"#),
            (r#"{"a":[1,2]}"#, r#"[{"op":"remove","path":"/a/0"}]"#, r#"{"a":[2]}"#),
            (r#"{"a":1,"b":2}"#, r#"[{"op":"move","from":"/a","path":"/c"}]"#, r#"{"b":2,"c":1}"#),
            (r#"{"a":1}"#, r#"[{"op":"copy","from":"/a","path":"/c"}]"#, r#"{"a":1,"c":1}"#),
            (
                r#"{"a/b":1,"m~n":2}"#,
                r#"[{"op":"test","path":"/a~1b","value":1},{"op":"remove","path":"/m~0n"}]"#,
                r#"{"a/b":1}"#,
            ),
        ];
        for (content, patch, expected) in cases {
            assert_eq!(patched(content, patch).as_deref(), Ok(expected), "{patch}");
        }
    }

    #[test]
    fn a_failing_operation_is_named_and_nothing_changes() {
        let cases = [
            (r#"[{"op":"test","path":"/a","value":2}]"#, "patch-test-failed"),
            (r#"[{"op":"replace","path":"/x","value":2}]"#, "patch-no-such-place"),
            (r#"[{"op":"add","path":"/l/01","value":2}]"#, "patch-no-such-place"),
            (r#"[{"op":"move","from":"/o","path":"/o/x"}]"#, "patch-into-itself"),
            (r#"[{"op":"grow","path":"/a"}]"#, "patch-malformed"),
            (r#"{"op":"test"}"#, "patch-malformed"),
        ];
        for (patch, code) in cases {
            assert_eq!(patched(r#"{"a":1,"l":[0],"o":{}}"#, patch), Err(code), "{patch}");
        }
    }
}
