//! Other names of the system of an identifier: a question by one of them is a question by all.

use super::condition::{Condition, Test};
use super::token;
use super::values::Wanted;

/// Another name under which the numbers of a system stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The system as it may stand in `Identifier.system`.
    pub system: String,
    /// The types of which one must stand in `Identifier.type.coding`, as system and code, where the name alone does not say what kind of
    /// number it is; empty where it does.
    pub types: Vec<(String, String)>,
}

impl Condition {
    /// Adds to each value `system|value` of an identifier the same value under the other names of its system; conditions on joined
    /// resources included. `names` is asked with the system and the value, which is empty for `system|`.
    pub fn widen(&mut self, names: &dyn Fn(&str, &str) -> Vec<Alias>) {
        match &mut self.test {
            Test::Any { parameter, wanted, .. } if parameter.datatypes().contains(&"Identifier") => {
                let mut others = Vec::new();
                for one in wanted.iter() {
                    let Wanted::Token(asked) = one else { continue };
                    let Some((system, value)) = asked.in_system() else { continue };
                    others.extend(names(system, value.unwrap_or("")).into_iter().map(|alias| asked.under(alias)));
                }
                others.retain(|other| !wanted.contains(other));
                wanted.append(&mut others);
            }
            Test::Join(join) => join.branches.iter_mut().for_each(|branch| branch.condition.widen(names)),
            _ => {}
        }
    }
}

impl token::Wanted {
    /// The same value under another name of its system.
    fn under(&self, alias: Alias) -> Wanted {
        let same = self.with_system(alias.system);
        if alias.types.is_empty() { Wanted::Token(same) } else { Wanted::TokenOfTypes(same, alias.types) }
    }
}
