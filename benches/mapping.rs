//! Translating: parse, map and print a laboratory report, against what serde_json needs to print the same bundle.

use dukou_benches::{machine, micros, report};
use dukou_wire::{Limits, Site, er7};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bytes = report(100);
    let (limits, site) = (Limits::default(), Site::default());
    let program = dukou_gateway::built_in_program(&[])?;
    let place = dukou_mapping::Site { id: "bench", zone: "+08:00" };

    let parse = micros(|| er7::parse(&bytes, &limits, &site).map(|(message, _)| message.segment_count()).unwrap_or(0));
    let (message, _) = er7::parse(&bytes, &limits, &site)?;
    let map = micros(|| program.to_fhir(&message, &place).changes.len());
    let mut out = Vec::new();
    let whole = micros(|| {
        out.clear();
        if let Ok((message, _)) = er7::parse(&bytes, &limits, &site) {
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

    let view = program.to_fhir(&message, &place).to_bundle().into_static();
    let outbound = dukou_mapping::Outbound { profile: "oru-r01", control_id: "1", time: "20240102", charset: "" };
    let back = micros(|| program.from_fhir(&view, &outbound, None, &place).map(|made| made.bytes.len()).unwrap_or(0));
    let put = micros(|| {
        program.from_fhir(&view, &outbound, Some(&message), &place).map(|made| made.bytes.len()).unwrap_or(0)
    });

    println!("{}", machine());
    println!(
        "ORU^R01, 100 OBX, {} bytes -> bundle of {} bytes; microseconds of CPU, best of 9 rounds",
        bytes.len(),
        out.len()
    );
    println!("parse                          {parse:>9.1}");
    println!("map, every leaf accounted for  {map:>9.1}");
    println!("parse, map and print           {whole:>9.1}   (wanted 250)");
    println!("back: a message of the view    {back:>9.1}   (wanted 250)");
    println!("back: into the message it came from, nothing changed {put:>9.1}");
    println!("serde_json prints the bundle   {serde:>9.1}");
    println!("whole / serde_json print: {:.2} (wanted 2.5)", whole / serde);
    Ok(())
}
