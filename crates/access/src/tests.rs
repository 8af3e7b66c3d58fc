//! The cases of `fixtures/access`, and what a partner file must not say.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use dukou_audit::{Interaction, Peer, RequestId, User};
use serde::Deserialize;

use crate::{
    Certificate, Channel, Credential, Meter, PartnerFile, Policy, PolicyFiles, Rate, Request, Step, TokenFile,
};

#[derive(Deserialize)]
struct Input {
    request: Vec<Case>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    interaction: String,
    token: Option<String>,
    basic: Option<String>,
    listener: Option<String>,
    certificate: Option<String>,
    channel: Option<String>,
    resource: Option<String>,
    id: Option<String>,
    patient: Option<String>,
    purpose: Option<String>,
    user: Option<String>,
    address: Option<String>,
    day: Option<String>,
}

#[test]
fn every_case_gets_its_stated_verdict() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/access");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.join("input.toml").is_file());
    cases.sort();
    assert!(cases.len() >= 4);
    for case in cases {
        let policy = load(&std::fs::read_to_string(case.join("partner.toml")).unwrap()).unwrap();
        let input: Input = toml::from_str(&std::fs::read_to_string(case.join("input.toml")).unwrap()).unwrap();
        let mut verdicts = String::new();
        for request in &input.request {
            write_verdict(&mut verdicts, &policy, request);
        }
        let expected = case.join("expected.toml");
        if bless() {
            std::fs::write(&expected, &verdicts).unwrap();
        }
        assert_eq!(verdicts, std::fs::read_to_string(&expected).unwrap_or_default(), "{}", case.display());
    }
}

#[test]
fn each_step_is_the_last_one_reached() {
    let policy = policy_of("one-step-after-another");
    // The request breaks all steps at once; what is repaired from turn to turn lets the next step speak.
    let mut case = Case {
        interaction: "delete".into(),
        token: Some("stranger.token".into()),
        resource: Some("Patient".into()),
        id: Some("p9".into()),
        purpose: Some("GOSSIP".into()),
        address: Some("192.0.2.7".into()),
        ..Case::default()
    };
    let empty = Meter::new(Rate { per_second: 1, burst: 1 }, 10);
    assert!(empty.take_peer("192.0.2.7", day_ns(None)).is_ok());
    let steps = [Step::Rate, Step::Authentication, Step::Purpose, Step::Partner, Step::Scope, Step::Compartment];
    for step in steps {
        let full = meter();
        let refusal = decide(&policy, &case, if step == Step::Rate { &empty } else { &full }).unwrap_err();
        assert_eq!(refusal.step, step);
        let spoken = refusal.authenticated.map(|access| access.decision.rules).unwrap_or_default();
        let passed = if step > Step::Authentication {
            steps.iter().filter(|known| **known > Step::Rate && **known <= step).count()
        } else {
            0
        };
        assert_eq!(spoken.len(), passed, "one rule for each step up to {step:?}, none of a later one: {spoken:?}");
        match step {
            Step::Rate => {}
            Step::Authentication => case.token = Some("lab.token".into()),
            Step::Purpose => case.purpose = None,
            Step::Partner => (case.address, case.interaction) = (Some("10.20.1.1".into()), "update".into()),
            Step::Scope => case.interaction = "read".into(),
            Step::Compartment => case.id = Some("p1".into()),
        }
    }
    let access = decide(&policy, &case, &meter()).unwrap();
    assert!(access.decision.permit && access.decision.rules.len() == 5, "{:?}", access.decision.rules);
}

#[test]
fn a_client_that_asks_too_often_waits_although_its_peers_are_many() {
    let policy = policy_of("one-step-after-another");
    let meter = Meter::new(Rate { per_second: 1, burst: 1 }, 1_000);
    for turn in 0..101 {
        let case = Case {
            interaction: "read".into(),
            token: Some("lab.token".into()),
            resource: Some("Patient".into()),
            id: Some("p1".into()),
            address: Some(format!("10.20.0.{turn}")),
            ..Case::default()
        };
        let verdict = decide(&policy, &case, &meter);
        match verdict {
            Ok(_) => assert!(turn < 100),
            Err(refusal) => {
                assert_eq!((turn, refusal.step, refusal.retry_after_s), (100, Step::Rate, Some(1)));
                assert!(refusal.authenticated.is_none(), "counted in the summary, not recorded one by one");
            }
        }
    }
}

#[test]
fn a_bundle_is_of_a_kind_that_the_file_lists() {
    let text = std::fs::read_to_string(folder("scopes-of-a-reader").join("partner.toml")).unwrap();
    let policy = load(&text.replace("\"transaction\", ", "")).unwrap();
    let case = Case { interaction: "batch".into(), token: Some("reader.token".into()), ..Case::default() };
    let access = decide(&policy, &case, &meter()).unwrap();
    let settled = policy.settle_bundle(access.clone(), Interaction::Batch).unwrap();
    assert!(settled.decision.permit);
    let (refused, code) = policy.settle_bundle(access, Interaction::Transaction).unwrap_err();
    assert_eq!(code, crate::Code::InteractionNotListed);
    assert!(!refused.decision.permit && refused.reach.grants.is_empty());
    assert_eq!(refused.interaction, Interaction::Transaction);
}

#[test]
fn no_file_means_no_access() {
    let case = Case { interaction: "read".into(), token: Some("lab.token".into()), ..Case::default() };
    let refusal = decide(&Policy::empty(), &case, &meter()).unwrap_err();
    assert_eq!(refusal.step, Step::Authentication);
}

#[test]
fn a_refused_request_reaches_nothing() {
    let policy = policy_of("one-step-after-another");
    let case = Case {
        interaction: "update".into(),
        token: Some("lab.token".into()),
        resource: Some("Patient".into()),
        id: Some("p1".into()),
        ..Case::default()
    };
    let access = decide(&policy, &case, &meter()).unwrap_err().authenticated.unwrap();
    assert!(access.reach.grants.is_empty() && !access.decision.permit);
    assert_eq!(access.decision.reason.as_deref(), Some("scope-missing"));
    assert_ne!(access.decision.policy_sha256, [0; 32]);
}

#[test]
fn a_wrong_file_is_refused_with_line_and_reason() {
    let good = std::fs::read_to_string(folder("one-step-after-another").join("partner.toml")).unwrap();
    let cases = [
        ("purposes =", "purpose =", "did you mean `purposes`"),
        ("burst = 100", "bursts = 100", "did you mean `burst`"),
        ("[[allow]]", "[[alow]]", "did you mean `allow`"),
        ("\"HOPERAT\"", "\"BTG\"", "`BTG` is no purpose of use"),
        ("\"Observation\"]", "\"Observations\"]", "`Observations` is no R4 resource type"),
        ("\"update\"]", "\"upsert\"]", "`upsert` is no interaction"),
        ("10.20.0.0/16", "10.20.0.0/36", "an address range is written"),
        ("Observation.crus", "Observation.ucrs", "in that order"),
        ("Observation.crus", "Observation.rs?category=laboratory", "search parameters is not supported"),
        ("2026-12-31", "2026-12-32", "a date is written"),
        ("lab.token", "missing.token", "was not read"),
        ("lab.token", "short.token", "at least 24 bytes"),
        ("per_second = 100", "per_second = 0", "at least 1"),
        ("default_purpose = \"TREAT\"", "default_purpose = \"PATRQT\"", "not among the partner's purposes"),
        (
            "interaction = \"create\"\nresource = \"Observation\"",
            "interaction = \"delete\"\nresource = \"Observation\"",
            "the allow example is refused at the step partner",
        ),
        ("step = \"scope\"", "step = \"compartment\"", "refused at the step scope instead of compartment"),
        ("[[deny]]", "[[allow]]", "at least one [[allow]] and one [[deny]]"),
    ];
    for (from, to, reason) in cases {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let Err(faults) = load(&text) else { panic!("{to} was loaded") };
        let shown: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert!(shown.iter().any(|line| line.contains(reason)), "{to}: {shown:?}");
        assert!(
            shown.iter().all(|line| line.starts_with("partner.toml:") && !line.starts_with("partner.toml:0")),
            "{shown:?}"
        );
    }
}

#[test]
fn every_fault_of_a_file_is_named_at_once() {
    let good = std::fs::read_to_string(folder("one-step-after-another").join("partner.toml")).unwrap();
    let text = good.replace("10.20.0.0/16", "everywhere").replace("2026-12-31", "soon");
    let Err(faults) = load(&text) else { panic!("loaded") };
    assert_eq!(faults.len(), 2);
}

fn write_verdict(out: &mut String, policy: &Policy, case: &Case) {
    writeln!(out, "[[verdict]]\nname = {:?}", case.name).unwrap();
    match decide(policy, case, &meter()) {
        Ok(access) => {
            let grants = access.reach.grants.iter().map(|grant| {
                let rights = [
                    ("c", dukou_audit::Right::Create),
                    ("r", dukou_audit::Right::Read),
                    ("u", dukou_audit::Right::Update),
                ];
                let rights =
                    rights.into_iter().chain([("d", dukou_audit::Right::Delete), ("s", dukou_audit::Right::Search)]);
                let letters: String =
                    rights.filter(|(_, right)| grant.rights.has(*right)).map(|(letter, _)| letter).collect();
                format!(
                    "{}.{letters}{}",
                    grant.resource,
                    grant.patient.as_ref().map(|id| format!(" of {id}")).unwrap_or_default()
                )
            });
            let reach: Vec<String> = grants.collect();
            writeln!(
                out,
                "client = {:?}\nrules = {:?}\nreach = {reach:?}\n",
                access.client.id.as_str(),
                access.decision.rules
            )
            .unwrap();
        }
        Err(refusal) => {
            let recorded = refusal.authenticated.is_some();
            writeln!(
                out,
                "step = {:?}\ncode = {:?}\nrecorded = {recorded}\n",
                refusal.step.as_str(),
                refusal.code.as_str()
            )
            .unwrap();
        }
    }
}

fn decide(policy: &Policy, case: &Case, meter: &Meter) -> Result<dukou_audit::Access, crate::Refusal> {
    let token = case.token.as_deref().map(token_text);
    let credential = match (&token, &case.basic, &case.listener) {
        (Some(token), Some(client), _) => Credential::Basic { client, token },
        (Some(token), None, _) => Credential::Bearer(token),
        (None, _, Some(listener)) => Credential::Listener(listener),
        _ => Credential::None,
    };
    let interactions = [
        Interaction::Read,
        Interaction::Search,
        Interaction::History,
        Interaction::Create,
        Interaction::Update,
        Interaction::Delete,
        Interaction::Transaction,
        Interaction::Batch,
        Interaction::Ingest,
        Interaction::Operation("everything"),
        Interaction::Audit,
    ];
    let shown = case.certificate.as_deref().map(|text| crate::credential::parse_sha256(text).unwrap());
    policy.decide(&Request {
        request: RequestId([7; 16]),
        interaction: interactions.into_iter().find(|known| known.as_str() == case.interaction).unwrap(),
        route: 0,
        resource: case.resource.as_deref(),
        id: case.id.as_deref(),
        patient: case.patient.as_deref(),
        credential,
        certificate: shown.map(|sha256| Certificate { sha256, subject_dn: "CN=invented" }),
        channel: match case.channel.as_deref() {
            Some("mutual-tls") => Channel::MutualTls,
            Some("tls") => Channel::Tls,
            Some("plain") => Channel::Plain,
            _ => Channel::Loopback,
        },
        peer: Peer {
            address: case.address.clone().unwrap_or_else(|| "127.0.0.1".into()),
            port: 40_000,
            terminal: None,
        },
        merged: &|_| Vec::new(),
        purpose: case.purpose.as_deref(),
        user: case.user.as_ref().map(|subject| User {
            issuer: "site".into(),
            subject: subject.clone(),
            ..User::default()
        }),
        query: None,
        trace: None,
        started_ns: day_ns(case.day.as_deref()),
        meter,
    })
}

fn policy_of(case: &str) -> Policy {
    load(&std::fs::read_to_string(folder(case).join("partner.toml")).unwrap()).unwrap()
}

fn folder(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/access").join(case)
}

fn load(text: &str) -> Result<Policy, Vec<crate::LoadError>> {
    let names = ["lab.token", "old.token", "reader.token", "app.token", "his.token", "archive.token"];
    let mut tokens: Vec<TokenFile> = names
        .iter()
        .map(|name| TokenFile { name: (*name).into(), bytes: format!("{}\n", token_text(name)).into_bytes() })
        .collect();
    tokens.push(TokenFile { name: "short.token".into(), bytes: b"short".to_vec() });
    Policy::load(PolicyFiles { partners: vec![PartnerFile { name: "partner.toml".into(), text: text.into() }], tokens })
}

fn token_text(name: &str) -> String {
    format!("invented-token-of-the-file-{name}")
}

fn meter() -> Meter {
    Meter::new(Rate::default(), 100)
}

/// Noon of one of the days that the cases name.
fn day_ns(day: Option<&str>) -> i64 {
    let days = match day {
        None => 20_544,
        Some("2026-12-31") => 20_818,
        Some("2027-01-01") => 20_819,
        Some("2027-06-01") => 20_970,
        Some(other) => panic!("{other}"),
    };
    days * 86_400_000_000_000 + 43_200_000_000_000
}

#[allow(clippy::disallowed_methods, reason = "blessing is asked for by the person who runs the tests")]
fn bless() -> bool {
    std::env::var("BLESS").is_ok()
}

#[test]
fn a_domain_has_one_source_and_is_closed_to_the_others() {
    let text = |second: &str| {
        format!(
            "[partner]\nid = \"h\"\nname = \"H\"\ncontact = \"1\"\npurposes = [\"TREAT\"]\nresources = [\"*\"]\ninteractions = [\"update\"]\naddresses = [\"127.0.0.0/8\"]\n\
             [[client]]\nid = \"his\"\nlisteners = [\"a\"]\nscopes = \"system/*.u\"\ndefault_purpose = \"TREAT\"\ndomains = [\"urn:oid:1\"]\n\
             [[client]]\nid = \"lis\"\nlisteners = [\"b\"]\nscopes = \"system/*.u\"\ndefault_purpose = \"TREAT\"\ndomains = [\"{second}\"]\n\
             [[allow]]\nclient = \"his\"\ninteraction = \"update\"\nresource = \"Patient\"\n\
             [[deny]]\nclient = \"his\"\ninteraction = \"read\"\nresource = \"Patient\"\nstep = \"partner\"\n"
        )
    };
    let load = |second: &str| {
        let partners = vec![PartnerFile { name: "h.toml".into(), text: text(second) }];
        Policy::load(PolicyFiles { partners, tokens: Vec::new() })
    };
    let policy = load("urn:oid:2").unwrap_or_else(|faults| panic!("{faults:?}"));
    let lis = policy.clients.iter().find(|client| client.id.as_str() == "lis").unwrap();
    assert_eq!(
        (&lis.closed[..], &lis.settings.domains[..]),
        (&["urn:oid:1".to_owned()][..], &["urn:oid:2".to_owned()][..])
    );
    let Err(faults) = load("urn:oid:1") else { panic!("a domain with two sources is refused") };
    assert!(faults[0].to_string().contains("belongs to two clients"), "{}", faults[0]);
    assert!(load("").is_err());
}
