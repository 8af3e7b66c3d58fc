//! The partner file as written: one TOML file per partner, unknown keys refused.

use serde::Deserialize;
use toml::Spanned;

use crate::fault::LoadError;

/// A partner file, already read.
#[derive(Clone)]
pub struct PartnerFile {
    /// The path as shown in errors; token files are named relative to whatever the caller decides.
    pub name: String,
    /// The TOML text.
    pub text: String,
}

/// A token file, already read. The bytes are hashed while the policy is loaded and not kept.
#[derive(Clone)]
pub struct TokenFile {
    /// The path exactly as the partner file names it.
    pub name: String,
    /// The content: one token; white space at the end is not part of it.
    pub bytes: Vec<u8>,
}

/// Everything a policy is made of.
#[derive(Clone, Default)]
pub struct PolicyFiles {
    /// The partner files, in any order.
    pub partners: Vec<PartnerFile>,
    /// The token files that they name.
    pub tokens: Vec<TokenFile>,
}

impl PolicyFiles {
    /// The token files that a partner file names, so that the caller can read them before loading.
    ///
    /// # Errors
    /// The file cannot be read as a partner file.
    pub fn token_names(partner: &PartnerFile) -> Result<Vec<String>, LoadError> {
        let written = parse(partner)?;
        Ok(written.client.into_iter().flat_map(|client| client.token_files).map(Spanned::into_inner).collect())
    }
}

/// Reads one file into its written form.
pub(crate) fn parse(file: &PartnerFile) -> Result<Written, LoadError> {
    toml::from_str(&file.text).map_err(|error| LoadError::from_toml(&file.name, &file.text, &error))
}

/// A whole partner file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    pub(crate) partner: WrittenPartner,
    #[serde(default)]
    pub(crate) client: Vec<WrittenClient>,
    #[serde(default)]
    pub(crate) allow: Vec<Spanned<WrittenExample>>,
    #[serde(default)]
    pub(crate) deny: Vec<Spanned<WrittenExample>>,
}

/// `[partner]`: the ceiling of all its clients.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenPartner {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) contact: String,
    pub(crate) valid_from: Option<Spanned<String>>,
    pub(crate) valid_to: Option<Spanned<String>>,
    pub(crate) purposes: Vec<Spanned<String>>,
    pub(crate) resources: Vec<Spanned<String>>,
    pub(crate) interactions: Vec<Spanned<String>>,
    pub(crate) addresses: Vec<Spanned<String>>,
}

/// `[[client]]`: one system of the partner with its own credentials.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenClient {
    pub(crate) id: Spanned<String>,
    #[serde(default)]
    pub(crate) token_files: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) token_sha256: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) certificate_sha256: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) listeners: Vec<Spanned<String>>,
    pub(crate) scopes: Spanned<String>,
    pub(crate) default_purpose: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) names_purpose: bool,
    #[serde(default)]
    pub(crate) names_users: bool,
    #[serde(default)]
    pub(crate) patients: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) roles: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) domains: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) create_with_id: bool,
    #[serde(default)]
    pub(crate) delete_many: bool,
    #[serde(default)]
    pub(crate) if_match_required: bool,
    pub(crate) rate: Option<Spanned<WrittenRate>>,
}

/// `rate = { per_second = 200, burst = 400 }`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenRate {
    pub(crate) per_second: u32,
    pub(crate) burst: u32,
}

/// `[[allow]]` or `[[deny]]`: a request whose verdict the file itself states.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenExample {
    pub(crate) client: String,
    pub(crate) interaction: String,
    pub(crate) resource: Option<String>,
    pub(crate) patient: Option<String>,
    pub(crate) purpose: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) step: Option<String>,
}
