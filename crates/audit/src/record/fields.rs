//! The keys of one record, in rising order, and the part of it that is sealed.

use crate::access::{Access, Client, Decision, Peer, Purpose, User};
use crate::cbor::{Cbor, Keyed};
use crate::outcome::{Labels, Outcome};
use crate::queue::Shared;

use super::{Fields, Item, Part};

impl Fields<'_> {
    /// Writes the share of one record. `None` if the sealing key is used up.
    pub(super) fn encode_part(
        &self,
        shared: &Shared,
        mut map: Keyed,
        part: &Part,
        index: usize,
        total: usize,
    ) -> Option<Keyed> {
        let primary = index == 0;
        let now = shared.clock.wall_ns();
        if primary {
            map.key(1).int(now);
            shared.clock_state(map.key(2));
        }
        let request = self.access.map(|who| who.request.0);
        if let Some(request) = &request {
            map.key(3).bytes(request);
        }
        if primary && let Some(who) = self.access {
            who.encode(&mut map);
        }
        if !part.patients.is_empty() {
            let patients = &self.patients[part.patients.clone()];
            map.key(13).array(patients.len());
            for patient in patients {
                map.cbor.bytes(&shared.sealing.pseudonym(patient));
            }
        }
        self.encode_lists(shared, &mut map, part, primary);
        if primary && let Some(who) = self.access {
            let latency_us = now.saturating_sub(who.started_ns).max(0) / 1_000;
            map.key(27).int(latency_us);
        }
        let kind = if primary { self.kind } else { super::CONTINUATION };
        let sealed = self.sealed(part, primary);
        let sealed = match sealed {
            Some(mut plain) => {
                Some(shared.sealing.seal(&*shared.random, kind, &request.unwrap_or_default(), &mut plain)?)
            }
            None => None,
        };
        if let Some((epoch, _)) = &sealed {
            map.key(28).uint(*epoch);
        }
        self.encode_detail(&mut map, primary, index, total);
        if let Some((_, bytes)) = &sealed {
            map.key(30).bytes(bytes);
        }
        Some(map)
    }

    fn encode_lists(&self, shared: &Shared, map: &mut Keyed, part: &Part, primary: bool) {
        let resources = &self.resources[part.resources.clone()];
        if !resources.is_empty() {
            map.key(14).array(resources.len());
            for item in resources {
                self.encode_item(&mut map.cbor, item);
            }
        }
        if primary && (self.matched.is_some() || !self.resources.is_empty()) {
            let shown = self.resources.len() as u64;
            map.key(16).array(2).uint_or_null(self.matched).uint(shown);
        }
        if primary && let Some(outcome) = &self.outcome {
            outcome.encode(map.key(17));
        }
        let own_body = self.body.filter(|_| primary);
        let bodies = resources.iter().filter_map(|item| item.body).chain(own_body);
        let count = bodies.clone().count();
        if count > 0 {
            map.key(18).array(count);
            for (len, sha256) in bodies {
                map.cbor.array(2).uint(len).bytes(&sha256);
            }
        }
        if primary && let Some(labels) = self.labels.filter(|labels| !labels.is_empty()) {
            labels.encode(map.key(19));
        }
        if primary && let Some((organisation, endpoint)) = self.recipient {
            map.key(21).array(2).text_or_null(organisation).text_or_null(endpoint);
        }
        if !part.entries.is_empty() {
            map.key(22).array(part.entries.len());
            for i in part.entries.clone() {
                self.encode_entry(&mut map.cbor, i);
            }
        }
        if primary {
            if let Some(jseq) = self.jseq {
                map.key(23).array(2).uint(jseq).uint(u64::from(shared.options.node));
            }
            if let Some(leaf) = self.refers {
                map.key(24).uint(leaf);
            }
            if let Some(message) = self.access.and_then(|who| who.message.as_ref()) {
                map.key(25).array(3).text(&message.source).text(&message.kind).bytes(&message.sha256);
            }
        }
    }

    fn encode_item(&self, cbor: &mut Cbor, item: &Item<'_>) {
        let patient = item.patient.and_then(|place| self.patients.get(place as usize));
        // The id of a patient resource is the reference itself; it stands in the sealed part.
        let id = (item.kind != "Patient" || patient != Some(&item.id)).then_some(item.id);
        cbor.array(5).text(item.kind).text_or_null(id).uint(item.version);
        cbor.uint_or_null(item.patient.map(u64::from)).uint(item.how as u64);
    }

    fn encode_entry(&self, cbor: &mut Cbor, i: usize) {
        let entry = &self.entries[i];
        let place = self.entry_patients.get(i).copied().flatten();
        let is_patient = entry.kind.as_deref() == Some("Patient") && place.is_some();
        let id = entry.id.as_deref().filter(|_| !is_patient);
        cbor.array(6).text(entry.interaction).uint(u64::from(entry.status));
        cbor.text_or_null(entry.kind.as_deref()).text_or_null(id).uint_or_null(entry.version);
        cbor.uint_or_null(place.map(u64::from));
    }

    fn encode_detail(&self, map: &mut Keyed, primary: bool, index: usize, total: usize) {
        if let Some(detail) = self.detail.as_ref().filter(|_| primary) {
            map.key(29).0.extend_from_slice(&detail.0);
        } else if total > 1 {
            // Continuations say which part of how many they are; the first part says it, too.
            let part = map.key(29).map(2);
            part.text("of").uint(total as u64).text("part").uint(index as u64 + 1);
        }
    }

    /// The sealed fields as a map of their own; `None` if there are none.
    fn sealed(&self, part: &Part, primary: bool) -> Option<Vec<u8>> {
        let mut map = Keyed::new(Cbor(Vec::with_capacity(128)));
        let who = self.access.filter(|_| primary);
        let user = who.and_then(|who| who.user.as_ref());
        map.text(9, user.and_then(|user| user.name.as_deref()));
        map.text(11, who.and_then(|who| who.purpose.break_glass.as_deref()));
        let patients = &self.patients[part.patients.clone()];
        if !patients.is_empty() {
            map.key(13).array(patients.len());
            for patient in patients {
                map.cbor.text(patient);
            }
        }
        if let Some(query) = who.and_then(|who| who.query.as_deref()) {
            map.key(15).text_up_to(query, QUERY_BYTES_MAX);
        }
        map.text(20, who.and_then(|who| who.purpose.treatment_proof.as_deref()));
        let message = who.and_then(|who| who.message.as_ref());
        map.text(25, message.map(|message| message.control_id.as_str()));
        (!map.is_empty()).then(|| map.end().0)
    }
}

impl Access {
    fn encode(&self, map: &mut Keyed) {
        if let Some(trace) = &self.trace {
            map.key(4).bytes(trace);
        }
        map.key(5).text(self.interaction.as_str());
        map.key(6).uint(u64::from(self.route));
        self.client.encode(map.key(7));
        self.peer.encode(map.key(8));
        if let Some(user) = &self.user {
            user.encode(map.key(9));
        }
        self.purpose.encode(map);
        self.decision.encode(map.key(12));
    }
}

impl Client {
    fn encode(&self, cbor: &mut Cbor) {
        sub_map(cbor, |map| {
            map.key(0).text(self.id.as_str());
            map.text(1, self.organisation.as_deref());
            if let Some(hash) = &self.certificate_sha256 {
                map.key(2).bytes(hash);
            }
            map.text(3, self.subject_dn.as_deref());
        });
    }
}

impl Peer {
    fn encode(&self, cbor: &mut Cbor) {
        sub_map(cbor, |map| {
            map.key(0).text(&self.address);
            map.key(1).uint(u64::from(self.port));
            map.text(2, self.terminal.as_deref());
        });
    }
}

impl User {
    fn encode(&self, cbor: &mut Cbor) {
        sub_map(cbor, |map| {
            map.key(0).text(&self.issuer);
            map.key(1).text(&self.subject);
            map.text(2, self.role.as_deref());
            map.text(3, self.department.as_deref());
            map.text(4, self.organisation.as_deref());
            map.text(5, self.on_behalf_of.as_deref());
            map.text(6, self.authentication.as_deref());
            map.text(7, self.sign_on.as_deref());
            map.text(8, self.token.as_deref());
        });
    }
}

impl Purpose {
    fn encode(&self, map: &mut Keyed) {
        if !self.codes.is_empty() || self.basis.is_some() {
            map.key(10).array(2).texts(&self.codes).text_or_null(self.basis.as_deref());
        }
        if self.break_glass.is_some() {
            map.key(11).bool(true);
        }
    }
}

impl Decision {
    fn encode(&self, cbor: &mut Cbor) {
        sub_map(cbor, |map| {
            map.key(0).bool(self.permit);
            if !self.rules.is_empty() {
                map.key(1).texts(&self.rules);
            }
            map.key(2).bytes(&self.policy_sha256);
            if !self.consents.is_empty() {
                map.key(3).texts(&self.consents);
            }
            map.text(4, self.reason.as_deref());
        });
    }
}

impl Outcome {
    fn encode(&self, cbor: &mut Cbor) {
        sub_map(cbor, |map| {
            if self.status != 0 {
                map.key(0).uint(u64::from(self.status));
            }
            let ack = self.ack.as_ref().and_then(|code| std::str::from_utf8(code).ok());
            map.text(1, ack);
            map.text(2, self.issue);
            map.key(3).uint(u64::from(self.fhir));
        });
    }
}

impl Labels {
    fn encode(&self, cbor: &mut Cbor) {
        cbor.array(4).uint(u64::from(self.highest)).texts(&self.codes).texts(&self.released).texts(&self.masked);
    }
}

fn sub_map(cbor: &mut Cbor, fill: impl FnOnce(&mut Keyed)) {
    let mut map = Keyed::new(Cbor(std::mem::take(&mut cbor.0)));
    fill(&mut map);
    *cbor = map.end();
}

/// Longest query kept, in bytes.
const QUERY_BYTES_MAX: usize = 16_384;
