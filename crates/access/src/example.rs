//! The examples in a partner file: requests whose verdict the file itself states. A file whose examples fail is not loaded.

use dukou_audit::{Interaction, Peer, RequestId};
use toml::Spanned;

use crate::credential::{Channel, Credential};
use crate::fault::LoadError;
use crate::load::Stated;
use crate::partner::{PartnerFile, WrittenExample};
use crate::policy::{Partner, Policy};
use crate::rate::{Meter, Rate};
use crate::refusal::Step;
use crate::request::Request;

/// Runs the examples of one file.
pub(crate) fn check(policy: &Policy, file: &PartnerFile, stated: &Stated, faults: &mut Vec<LoadError>) {
    if stated.allow.is_empty() || stated.deny.is_empty() {
        faults.push(LoadError::at(
            &file.name,
            &file.text,
            0,
            "a partner file states at least one [[allow]] and one [[deny]] example",
        ));
    }
    let cases = stated.allow.iter().map(|case| (case, true)).chain(stated.deny.iter().map(|case| (case, false)));
    for (case, allowed) in cases {
        if let Err(reason) = run(policy, &policy.partners[stated.partner], stated.partner, case, allowed) {
            faults.push(LoadError::at(&file.name, &file.text, case.span().start, reason));
        }
    }
}

fn run(
    policy: &Policy,
    partner: &Partner,
    place: usize,
    case: &Spanned<WrittenExample>,
    allowed: bool,
) -> Result<(), String> {
    let example = case.get_ref();
    let client = policy.clients.iter().find(|client| client.partner == place && client.id.as_str() == example.client);
    let client = client.ok_or_else(|| {
        format!("the example names the client `{}`, which this file does not register", example.client)
    })?;
    let interaction = interaction(&example.interaction)
        .ok_or_else(|| format!("the example names the interaction `{}`, which is not known", example.interaction))?;
    let step = step(example, allowed)?;
    let (from, until) = partner.valid_ns;
    let address = example.address.clone().or_else(|| partner.ranges.first().map(|range| range.first().to_string()));
    let meter = Meter::new(Rate::default(), 1);
    let request = Request {
        request: RequestId([0; 16]),
        interaction,
        route: 0,
        resource: example.resource.as_deref(),
        id: None,
        patient: example.patient.as_deref(),
        credential: Credential::None,
        certificate: None,
        channel: Channel::Loopback,
        peer: Peer { address: address.unwrap_or_default(), port: 0, terminal: None },
        merged: &|_| Vec::new(),
        purpose: example.purpose.as_deref(),
        user: None,
        query: None,
        trace: None,
        started_ns: from.max(0).min(until.saturating_sub(1)),
        meter: &meter,
    };
    match (policy.decide_for(client, "example", &request), allowed) {
        (Ok(_), true) => Ok(()),
        (Ok(_), false) => Err("the deny example is permitted".to_owned()),
        (Err(refusal), true) => Err(format!(
            "the allow example is refused at the step {}: {}",
            refusal.step.as_str(),
            refusal.code.as_str()
        )),
        (Err(refusal), false) => match step {
            Some(step) if step != refusal.step => Err(format!(
                "the deny example is refused at the step {} instead of {}",
                refusal.step.as_str(),
                step.as_str()
            )),
            _ => Ok(()),
        },
    }
}

/// The step at which a deny example says that it ends.
fn step(example: &WrittenExample, allowed: bool) -> Result<Option<Step>, String> {
    let Some(word) = example.step.as_deref() else {
        return Ok(None);
    };
    match Step::parse(word) {
        Some(step) if !allowed && step > Step::Authentication => Ok(Some(step)),
        _ => Err(format!("`{word}` is no step of a deny example; known: purpose, partner, scope, compartment")),
    }
}

fn interaction(word: &str) -> Option<Interaction> {
    let all = [
        Interaction::Read,
        Interaction::Vread,
        Interaction::Search,
        Interaction::History,
        Interaction::Create,
        Interaction::Update,
        Interaction::Patch,
        Interaction::Delete,
        Interaction::Transaction,
        Interaction::Batch,
        Interaction::Ingest,
        Interaction::Operation("validate"),
        Interaction::Operation("everything"),
        Interaction::Operation("match"),
        Interaction::Operation("ihe-pix"),
        Interaction::Operation("card"),
        Interaction::Operation("capture"),
        Interaction::Operation("resolve-capture"),
        Interaction::Operation("revoke-capture"),
        Interaction::Operation("process-message"),
        Interaction::Operation("decide"),
        Interaction::Operation("explain"),
        Interaction::Merge,
        Interaction::Unmerge,
        Interaction::Audit,
    ];
    all.into_iter().find(|known| known.as_str() == word)
}
