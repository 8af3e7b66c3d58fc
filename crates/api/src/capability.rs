//! The CapabilityStatement, made from the route table, the table of search parameters and the policy (FHIR R4, 2.1.0).

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use dukou_fhir::{IssueType, Object, ResourceType, Value, search};
use hyper::header::{CACHE_CONTROL, ETAG, HeaderValue, IF_NONE_MATCH};
use sha2::{Digest, Sha256};

use crate::ask::Ask;
use crate::desk::{Desk, Limits};
use crate::fault::fault;
use crate::negotiate;
use crate::reply::{Reply, print};
use crate::route::ROUTES;

/// The statement, printed once for each base that it was asked under and each policy.
#[derive(Default)]
pub(crate) struct Statement {
    printed: Mutex<Vec<Printed>>,
}

#[derive(Clone)]
struct Printed {
    base: String,
    policy: [u8; 32],
    body: Bytes,
    etag: String,
}

impl Statement {
    /// Answers `GET metadata`.
    pub(crate) fn reply(&self, desk: &Desk, ask: &Ask) -> Reply {
        if let Err(issue) = negotiate::accepts_json(&ask.headers, ask.params.format.as_deref()) {
            return Reply::fault(issue, ask.language);
        }
        let unknown = ask.params.criteria.iter().any(|(name, value)| name != "mode" || value != "full");
        if unknown {
            return Reply::fault(
                fault(
                    IssueType::NotSupported,
                    "unknown-parameter",
                    "metadata takes no parameter but mode=full",
                    "metadata 只接受 mode=full",
                ),
                ask.language,
            );
        }
        let printed = self.printed(desk, &ask.base);
        let same = ask.header(&IF_NONE_MATCH).is_some_and(|tags| tags.contains(printed.etag.trim_matches('"')));
        let reply = if same { Reply::empty(304) } else { Reply::fhir(200, ask.params.shape.apply(&printed.body)) };
        reply.with_text(ETAG, &printed.etag).with(CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"))
    }

    fn printed(&self, desk: &Desk, base: &str) -> Printed {
        let policy = desk.policy.load();
        let mut known = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(printed) = known.iter().find(|printed| printed.base == base && printed.policy == policy.sha256()) {
            return printed.clone();
        }
        let body = Bytes::from(print(&statement(desk, base, policy.any_client(|settings| settings.create_with_id))));
        let hash: [u8; 32] = Sha256::digest(&body).into();
        let etag = format!("\"{}\"", hash[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        let printed = Printed { base: base.to_owned(), policy: policy.sha256(), body, etag };
        // The base follows the Host header: whoever sends a thousand of them must not fill the memory.
        if known.len() >= BASES_MAX {
            known.remove(0);
        }
        known.push(printed.clone());
        printed
    }
}

fn statement(desk: &Desk, base: &str, create_with_id: bool) -> Value<'static> {
    let runtime = &desk.runtime;
    let software = Object::new().with("name", "dukou").with("version", runtime.version.clone());
    let implementation =
        Object::new().with("description", "dukou, an HL7 FHIR integration gateway").with("url", base.to_owned());
    let codes = |codes: &[&'static str]| -> Value<'static> {
        codes.iter().map(|code| Value::from(*code)).collect::<Vec<_>>().into()
    };
    Object::new()
        .with("resourceType", "CapabilityStatement")
        .with("id", "dukou")
        .with("status", "active")
        .with("date", runtime.date.clone())
        .with("kind", "instance")
        .with("software", software)
        .with("implementation", implementation)
        .with("fhirVersion", "4.0.1")
        .with("format", codes(&["application/fhir+json", "json"]))
        .with("patchFormat", codes(&["application/json-patch+json"]))
        .with("rest", vec![Value::from(rest(&runtime.limits, runtime.origins.is_empty(), create_with_id))])
        .into()
}

fn rest(limits: &Limits, without_cors: bool, create_with_id: bool) -> Object<'static> {
    let service = Object::new()
        .with("text", "Bearer tokens or client certificates of registered clients; every request is recorded.");
    let security = Object::new().with("cors", !without_cors).with("service", vec![Value::from(service)]);
    let documentation = format!(
        "Unknown parameters are refused unless Prefer: handling=lenient is sent. Bodies have at most {} bytes, a Bundle {} bytes and {} entries; \
         a page has at most {} matches and {} included resources; a search may touch {} index entries.",
        limits.body_bytes_max,
        limits.bundle_bytes_max,
        limits.bundle_entries_max,
        limits.count_max,
        limits.includes_max,
        limits.search_work_max,
    );
    let system = [
        ("transaction", "bundle"),
        ("batch", "bundle"),
        ("search-system", "search-system"),
        ("history-system", "history-system"),
    ];
    let operations = vec![operation("validate"), operation("process-message")];
    Object::new()
        .with("extension", vec![limit_extension(limits)])
        .with("mode", "server")
        .with("documentation", documentation)
        .with("security", security)
        .with(
            "resource",
            ResourceType::all().map(|kind| Value::from(resource(kind, create_with_id))).collect::<Vec<_>>(),
        )
        .with("interaction", interactions(&system))
        .with("operation", operations)
}

fn resource(kind: ResourceType, create_with_id: bool) -> Object<'static> {
    let instance = [
        ("read", "read"),
        ("vread", "vread"),
        ("update", "update"),
        ("patch", "patch"),
        ("delete", "delete"),
        ("history-instance", "history-instance"),
        ("history-type", "history-type"),
        ("create", "create"),
        ("search-type", "search-type"),
    ];
    let claimed = |name: &'static str| ROUTES.iter().any(|line| line.name == name);
    let mut object = Object::new()
        .with("type", kind.as_str())
        .with("interaction", interactions(&instance))
        .with("versioning", "versioned-update")
        .with("readHistory", claimed("vread"))
        .with("updateCreate", create_with_id)
        .with("conditionalCreate", claimed("create"))
        .with("conditionalRead", "full-support")
        .with("conditionalUpdate", claimed("update-conditional"))
        .with("conditionalDelete", if claimed("delete-conditional") { "single" } else { "not-supported" })
        .with("referencePolicy", vec![Value::from("literal"), Value::from("local"), Value::from("enforced")]);
    let mut list = |name: &'static str, values: Vec<Value<'static>>| {
        if !values.is_empty() {
            object.insert(name, values);
        }
    };
    list("searchInclude", search::includes(kind).into_iter().map(Value::from).collect());
    list("searchRevInclude", search::reverse_includes(kind).into_iter().map(Value::from).collect());
    list("searchParam", parameters(kind));
    let mut operations = vec![operation("validate")];
    if kind == ResourceType::PATIENT && claimed("everything") {
        operations.push(operation("everything"));
    }
    if kind == ResourceType::PATIENT {
        let offered = ["match", "ihe-pix", "card", "capture", "resolve-capture", "revoke-capture", "merge", "unmerge"];
        operations.extend(offered.into_iter().filter(|name| claimed(name)).map(operation));
    }
    if kind.as_str() == "Task" && claimed("decide") {
        operations.push(operation("decide"));
    }
    list("operation", operations);
    object
}

/// The search parameters that are supported, each with its type.
fn parameters(kind: ResourceType) -> Vec<Value<'static>> {
    let supported = search::parameters::of(kind).iter().filter(|parameter| parameter.unsupported().is_none());
    supported
        .map(|parameter| Object::new().with("name", parameter.code()).with("type", parameter.kind().as_str()).into())
        .collect()
}

/// The interactions whose route exists, as (code, name of the route).
fn interactions(claims: &[(&'static str, &'static str)]) -> Vec<Value<'static>> {
    let there = claims.iter().filter(|(_, route)| ROUTES.iter().any(|line| line.name == *route));
    there.map(|(code, _)| Object::new().with("code", *code).into()).collect()
}

fn operation(name: &'static str) -> Value<'static> {
    let definition = match name {
        "everything" => "http://hl7.org/fhir/OperationDefinition/Patient-everything",
        "process-message" => "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message",
        "match" => "http://hl7.org/fhir/OperationDefinition/Patient-match",
        "ihe-pix" => "https://profiles.ihe.net/ITI/PIXm/OperationDefinition/IHE.PIXm.pix",
        "card" => "https://dukou.dev/fhir/OperationDefinition/Patient-card",
        "capture" => "https://dukou.dev/fhir/OperationDefinition/Patient-capture",
        "resolve-capture" => "https://dukou.dev/fhir/OperationDefinition/Patient-resolve-capture",
        "revoke-capture" => "https://dukou.dev/fhir/OperationDefinition/Patient-revoke-capture",
        "merge" => "http://hl7.org/fhir/OperationDefinition/Patient-merge",
        "unmerge" => "https://dukou.dev/fhir/OperationDefinition/Patient-unmerge",
        "decide" => "https://dukou.dev/fhir/OperationDefinition/Task-decide",
        _ => "http://hl7.org/fhir/OperationDefinition/Resource-validate",
    };
    Object::new().with("name", name).with("definition", definition).into()
}

fn limit_extension(limits: &Limits) -> Value<'static> {
    let part = |url: &'static str, value: u64| -> Value<'static> {
        Object::new().with("url", url).with("valueDecimal", Value::Number(value.to_string().into())).into()
    };
    let parts = vec![
        part("bundleEntries", limits.bundle_entries_max as u64),
        part("searchWork", limits.search_work_max),
        part("pageMatches", limits.count_max as u64),
    ];
    Object::new().with("url", "urn:dukou:limits").with("extension", parts).into()
}

const BASES_MAX: usize = 8;
