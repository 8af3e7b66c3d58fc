//! SMART scopes, version 2 with the version 1 forms mapped onto it.
//! Source: SMART App Launch 2.0, "Scopes for requesting FHIR Resources".

use std::fmt;

use dukou_audit::{Right, Rights};
use dukou_fhir::ResourceType;
use thiserror::Error;

/// One clinical scope: `system/Observation.rs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Who the right belongs to.
    pub context: Context,
    /// The resource type; none stands for `*`.
    pub resource: Option<ResourceType>,
    /// The letters after the point.
    pub rights: Rights,
}

/// The part of a scope before the slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// `patient/`: only the compartments of the patients named for the client.
    Patient,
    /// `user/`: only while the request names a user.
    User,
    /// `system/`: the client itself.
    System,
}

/// Why a scope is not granted. A scope that is not understood in full grants nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ScopeError {
    /// Neither `patient/`, `user/` nor `system/`.
    #[error("a scope begins with patient/, user/ or system/")]
    Context,
    /// The type is not one of R4.
    #[error("the type of a scope is an R4 resource type or *")]
    Resource,
    /// The letters are not a part of `cruds` in that order.
    #[error("the letters of a scope are a part of \"cruds\" in that order, or read, write, *")]
    Letters,
    /// A parameter such as `?category=laboratory`: not supported, so the whole scope is not granted.
    #[error("a scope with search parameters is not supported")]
    Parameters,
}

impl Scope {
    /// Reads one scope. Letters in another order than `cruds`, unknown types and search parameters are refused as a whole.
    ///
    /// # Errors
    /// [`ScopeError`] naming the part that is not understood.
    pub fn parse(text: &str) -> Result<Scope, ScopeError> {
        let (context, rest) = text.split_once('/').ok_or(ScopeError::Context)?;
        let context = match context {
            "patient" => Context::Patient,
            "user" => Context::User,
            "system" => Context::System,
            _ => return Err(ScopeError::Context),
        };
        if rest.contains('?') {
            return Err(ScopeError::Parameters);
        }
        let (resource, letters) = rest.split_once('.').ok_or(ScopeError::Letters)?;
        let resource = match resource {
            "*" => None,
            name => Some(ResourceType::parse(name).ok_or(ScopeError::Resource)?),
        };
        Ok(Scope { context, resource, rights: letters_to_rights(letters)? })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let context = match self.context {
            Context::Patient => "patient",
            Context::User => "user",
            Context::System => "system",
        };
        write!(out, "{context}/{}.", self.resource.map_or("*", |kind| kind.as_str()))?;
        for (letter, right) in LETTERS {
            if self.rights.has(right) {
                write!(out, "{letter}")?;
            }
        }
        Ok(())
    }
}

fn letters_to_rights(letters: &str) -> Result<Rights, ScopeError> {
    let letters = match letters {
        "read" => "rs",
        "write" => "cud",
        "*" => "cruds",
        other => other,
    };
    Rights::parse(letters).ok_or(ScopeError::Letters)
}

const LETTERS: [(char, Right); 5] =
    [('c', Right::Create), ('r', Right::Read), ('u', Right::Update), ('d', Right::Delete), ('s', Right::Search)];
