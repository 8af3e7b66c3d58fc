//! Translating: parse, map and print a laboratory report and an admission, against what serde_json needs to print the
//! same bundle; and loading all maps.
#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::time::Instant;

use dukou_benches::{machine, micros, report};
use dukou_mapping::Program;
use dukou_wire::{Limits, Message, Site, er7};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{}", machine());
    let begun = Instant::now();
    let program = dukou_gateway::built_in_program(&[])?;
    println!("all maps, {} rules, loaded in {} ms (limit 1000)", program.rule_count(), begun.elapsed().as_millis());
    translate("ORU^R01, 100 OBX", &program, &report(100), "oru-r01")?;
    let admission = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/hl7v2/adt-a01-admission/input.hl7");
    translate("ADT^A01", &program, &std::fs::read(admission)?, "adt-a01")
}

/// Prints the stages of one message.
fn translate(name: &str, program: &Program, bytes: &[u8], profile: &str) -> Result<(), Box<dyn std::error::Error>> {
    let (limits, site) = (Limits::default(), Site::default());
    let place = dukou_mapping::Site { id: "bench", zone: "+08:00" };
    let parse = micros(|| er7::parse(bytes, &limits, &site).map(|(message, _)| message.segment_count()).unwrap_or(0));
    let (message, _) = er7::parse(bytes, &limits, &site)?;
    let map = micros(|| program.to_fhir(&message, &place).changes.len());
    let mut out = Vec::new();
    let mapped = program.to_fhir(&message, &place);
    let print = micros(|| {
        out.clear();
        mapped.print_bundle(&mut out);
    });
    let whole = micros(|| {
        out.clear();
        if let Ok((message, _)) = er7::parse(bytes, &limits, &site) {
            program.to_fhir(&message, &place).print_bundle(&mut out);
        }
        out.len()
    });
    let peer: serde_json::Value = serde_json::from_slice(&out)?;
    let mut copy = Vec::new();
    let serde = micros(|| {
        copy.clear();
        serde_json::to_writer(&mut copy, &peer).map(|()| copy.len()).unwrap_or(0)
    });

    let leaves = mapped.accounts.leaves;
    println!("\n{name}, {} bytes, {leaves} leaves -> bundle of {} bytes", bytes.len(), out.len());
    println!("microseconds of CPU, best of 9 rounds");
    println!("parse                          {parse:>9.1}");
    println!("map, every leaf accounted for  {map:>9.1}");
    println!("print the bundle               {print:>9.1}");
    println!("parse, map and print           {whole:>9.1}   (wanted for 100 OBX: 250)");
    println!("serde_json prints the bundle   {serde:>9.1}");
    println!("whole / serde_json print: {:.2} (wanted 2.5)", whole / serde);
    back(program, &message, profile)?;
    Ok(())
}

/// Prints the way back of the message's own view.
fn back(program: &Program, message: &Message<'_>, profile: &str) -> Result<(), Box<dyn std::error::Error>> {
    let place = dukou_mapping::Site { id: "bench", zone: "+08:00" };
    let view = program.to_fhir(message, &place).to_bundle().into_static();
    let outbound = dukou_mapping::Outbound { profile, control_id: "1", time: "20240102", charset: "" };
    // What fails is not timed.
    let made = program.from_fhir(&view, &outbound, None, &place)?;
    let unchanged = program.from_fhir(&view, &outbound, Some(message), &place)?;
    assert_eq!(unchanged.bytes, message.raw(), "what nobody changed goes back byte for byte");
    println!("back: {} bytes made of the view", made.bytes.len());
    let length =
        |complement| program.from_fhir(&view, &outbound, complement, &place).map_or(0, |made| made.bytes.len());
    let create = micros(|| length(None));
    let put = micros(|| length(Some(message)));
    println!("back: a message of the view    {create:>9.1}   (wanted for 100 OBX: 250)");
    println!("back: into the message it came from, nothing changed {put:>9.1}");
    Ok(())
}
