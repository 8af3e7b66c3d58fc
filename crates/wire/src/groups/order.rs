//! The order of a structure, for messages that are written: where a segment stands is a sequence of member numbers and
//! ordinals, and sorting these sequences gives the order of the message.

use super::grammar::{self, Member, Of, Structure};
use crate::GroupStep;

/// Where a segment stands in a structure: for each group around it its member number and ordinal, then its own; and its
/// id, for several may stand at one place.
pub(crate) type Position = (Vec<(u16, u32)>, String);

/// The order in which a message of this structure holds segments, each given by the groups around it and its id: the
/// indexes of the input, sorted. Steps count inside the step before; levels may be left out, and then the n-th segment
/// of an id opens the n-th group that has one. Segments that the structure does not know stand after the first ones of
/// their group. An unknown structure is the flat one.
#[must_use]
pub fn order(structure: &str, segments: &[(&[GroupStep], &str)]) -> Vec<usize> {
    let mut counted: std::collections::HashMap<(&[GroupStep], &str), u32> = std::collections::HashMap::new();
    let mut placed: Vec<(Vec<(u16, u32)>, usize)> = Vec::with_capacity(segments.len());
    for (index, &(groups, id)) in segments.iter().enumerate() {
        let occurrence = counted.entry((groups, id)).or_default();
        *occurrence += 1;
        placed.push((position(structure, groups, id, *occurrence).0, index));
    }
    placed.sort();
    placed.into_iter().map(|(_, index)| index).collect()
}

/// The structure of this name, as the grammar spells it; `UNKNOWN` for the flat one.
#[must_use]
pub fn structure_named(name: &str) -> &'static str {
    grammar::structure(name).name
}

/// Where the `occurrence`-th segment of this id inside these groups stands.
pub(crate) fn position(structure: &str, groups: &[GroupStep], id: &str, occurrence: u32) -> Position {
    let structure = grammar::structure(structure);
    let mut position = Vec::new();
    let mut definition = 0;
    for step in groups {
        // A group the structure lacks is passed over: its segments stand in the group around it.
        let Some(chain) = nearest(structure, definition, |group| structure.definitions[group].name == step.name) else {
            continue;
        };
        let last = chain.len() - 1;
        for (at, (member, group)) in chain.into_iter().enumerate() {
            position.push((member, if at == last { u32::from(step.ordinal) } else { 1 }));
            definition = group;
        }
    }
    let mut occurrence = occurrence;
    if direct(structure, definition, id, occurrence).is_none()
        && let Some(chain) = nearest(structure, definition, |group| direct(structure, group, id, 1).is_some())
    {
        definition = chain.last().map_or(definition, |&(_, group)| group);
        descend(structure, &chain, id, &mut occurrence, &mut position);
    }
    match direct(structure, definition, id, occurrence) {
        Some((member, nth)) => position.push((member, nth)),
        None => {
            let members = &structure.definitions[definition].members;
            let inner = members.iter().position(|member| matches!(member.of, Of::Group(_))).unwrap_or(members.len());
            position.extend([(inner as u16, 0), (0, occurrence)]);
        }
    }
    (position, id.to_owned())
}

/// Follows a chain of groups that were left out. Where the segment does not repeat in its group, the innermost group
/// that does takes the occurrence.
fn descend(
    structure: &Structure,
    chain: &[(u16, usize)],
    id: &str,
    occurrence: &mut u32,
    position: &mut Vec<(u16, u32)>,
) {
    let mut ordinals = vec![1; chain.len()];
    let repeats_itself = chain.last().is_some_and(|&(_, group)| {
        let members = &structure.definitions[group].members;
        members.iter().any(|member| member.repeats && is_segment(member, id))
    });
    let repeating = chain.iter().enumerate().rev().find(|&(at, &(member, _))| {
        let around = at.checked_sub(1).map_or_else(|| around_of(structure, chain[0].1), |before| chain[before].1);
        structure.definitions[around].members[usize::from(member)].repeats
    });
    if let Some((at, _)) = repeating.filter(|_| !repeats_itself) {
        ordinals[at] = std::mem::replace(occurrence, 1);
    }
    position.extend(chain.iter().zip(ordinals).map(|(&(member, _), ordinal)| (member, ordinal)));
}

/// The group that holds the group of this number.
fn around_of(structure: &Structure, group: usize) -> usize {
    let holds = |member: &Member| matches!(member.of, Of::Group(inner) if inner == group);
    structure.definitions.iter().position(|definition| definition.members.iter().any(holds)).unwrap_or(0)
}

/// The member of a group that holds the `occurrence`-th segment of this id directly, and its number there: where a
/// segment that does not repeat stands in the structure several times, each place takes one. A place of its own goes
/// before one that it shares with others.
fn direct(structure: &Structure, group: usize, id: &str, occurrence: u32) -> Option<(u16, u32)> {
    let members = &structure.definitions[group].members;
    let places = members.iter().enumerate().filter(|(_, member)| is_segment(member, id));
    let own = |member: &Member| matches!(&member.of, Of::Segment(ids) if ids.len() == 1);
    let any_own = places.clone().any(|(_, member)| own(member));
    let mut found = None;
    let mut nth = occurrence;
    for (at, member) in places.filter(|(_, member)| own(member) || !any_own) {
        nth -= u32::from(found.is_some());
        found = Some((at as u16, nth));
        if member.repeats || nth == 1 {
            break;
        }
    }
    found
}

fn is_segment(member: &Member, id: &str) -> bool {
    matches!(&member.of, Of::Segment(ids) if ids.contains(&id))
}

/// The way to the nearest group inside that fits: members with the groups they open. Of several at one depth the one
/// with the most required groups on its way wins, then the first.
fn nearest(structure: &Structure, from: usize, fits: impl Fn(usize) -> bool) -> Option<Vec<(u16, usize)>> {
    let mut level: Vec<(Vec<(u16, usize)>, u32)> = vec![(Vec::new(), 0)];
    while !level.is_empty() {
        let mut next = Vec::new();
        for (chain, required) in level {
            let group = chain.last().map_or(from, |&(_, group)| group);
            for (at, member) in structure.definitions[group].members.iter().enumerate() {
                if let Of::Group(inner) = member.of {
                    let mut longer = chain.clone();
                    longer.push((at as u16, inner));
                    next.push((longer, required + u32::from(!member.optional)));
                }
            }
        }
        let fitting = next.iter().filter(|(chain, _)| chain.last().is_some_and(|&(_, group)| fits(group)));
        let mut best: Option<&(Vec<(u16, usize)>, u32)> = None;
        for candidate in fitting {
            if best.is_none_or(|(_, required)| candidate.1 > *required) {
                best = Some(candidate);
            }
        }
        if let Some((chain, _)) = best {
            return Some(chain.clone());
        }
        level = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> Vec<GroupStep> {
        let path = format!("{text}/PID");
        if text.is_empty() { Vec::new() } else { crate::Path::parse(&path).unwrap().groups().to_vec() }
    }

    fn ordered(structure: &str, segments: &[(&str, &str)]) -> String {
        let groups: Vec<Vec<GroupStep>> = segments.iter().map(|(groups, _)| steps(groups)).collect();
        let input: Vec<_> = groups.iter().zip(segments).map(|(groups, (_, id))| (groups.as_slice(), *id)).collect();
        let places = order(structure, &input).into_iter().map(|at| format!("{}{at}", segments[at].1));
        places.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn groups_stand_in_the_order_of_the_structure_and_of_their_ordinals() {
        let segments = [
            ("ORDER_OBSERVATION[2]/OBSERVATION", "OBX"),
            ("ORDER_OBSERVATION[2]", "OBR"),
            ("ORDER_OBSERVATION/OBSERVATION[2]", "OBX"),
            ("ORDER_OBSERVATION/OBSERVATION", "NTE"),
            ("ORDER_OBSERVATION/OBSERVATION", "OBX"),
            ("ORDER_OBSERVATION", "OBR"),
            ("ORDER_OBSERVATION", "ORC"),
            ("PATIENT_RESULT/PATIENT", "PID"),
            ("PATIENT_RESULT/PATIENT/VISIT", "PV1"),
            ("", "MSH"),
        ];
        assert_eq!(ordered("ORU_R01", &segments), "MSH9 PID7 PV18 ORC6 OBR5 OBX4 NTE3 OBX2 OBR1 OBX0");
    }

    #[test]
    fn levels_that_are_left_out_are_opened() {
        let segments = [("", "OBX"), ("", "PID"), ("", "OBX"), ("", "OBR"), ("", "PV1"), ("", "MSH"), ("", "NTE")];
        assert_eq!(ordered("ORU_R01", &segments), "MSH5 PID1 PV14 OBR3 NTE6 OBX0 OBX2");
        let segments = [("", "AL1"), ("", "OBR"), ("", "PV1"), ("", "ORC"), ("", "PID"), ("", "SPM")];
        assert_eq!(ordered("OML_O21", &segments), "PID4 PV12 AL10 ORC3 OBR1 SPM5");
    }

    #[test]
    fn a_segment_that_stands_twice_in_a_structure_goes_to_both_places() {
        let segments = [("", "PV1"), ("", "PID"), ("", "PID"), ("", "PV1"), ("", "EVN"), ("", "MSH")];
        assert_eq!(ordered("ADT_A17", &segments), "MSH5 EVN4 PID1 PV10 PID2 PV13");
    }

    #[test]
    fn unknown_segments_follow_the_first_ones_of_their_group() {
        let segments = [("", "ZEV"), ("PATIENT", "ZPI"), ("PATIENT/VISIT", "PV1"), ("PATIENT", "PID"), ("", "MSH")];
        assert_eq!(ordered("ORU_R01", &segments), "MSH4 ZEV0 PID3 ZPI1 PV12");
        assert_eq!(
            ordered("UNKNOWN", &[("ORDER", "OBR"), ("ORDER", "ORC"), ("", "ZZ2"), ("", "ZZ1"), ("", "MSH")]),
            "MSH4 ZZ22 ZZ13 ORC1 OBR0"
        );
        assert_eq!(ordered("ZZZ_Z01", &[("NOWHERE", "ZZ1"), ("", "PID"), ("", "MSH")]), "MSH2 ZZ10 PID1");
    }
}
