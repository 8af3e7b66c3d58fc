//! Fuzzing led by coverage, with the stable compiler: LLVM counts the edges that an input takes, and libFuzzer keeps the inputs that
//! take new ones. What the targets promise stands in `tests/fuzz/guided`; the inputs that were kept and the finds lie in
//! `target/guided`. It needs a C++ compiler.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs every target for so many seconds, one after the other; finds are named and do not stop the others.
pub(crate) fn run(seconds: &str) -> Result<String, Box<dyn Error>> {
    let seconds: u32 = seconds.parse().map_err(|_| "the number of seconds for each target is expected")?;
    let binary = build()?;
    let mut report = Vec::new();
    let mut finds = 0;
    for (target, seeds) in targets()? {
        let kept = Path::new(KEPT).join(&target);
        let artifacts = Path::new(KEPT).join("finds").join(&target);
        fs::create_dir_all(&kept)?;
        fs::create_dir_all(&artifacts)?;
        let mut command = Command::new(&binary);
        command.env("DUKOU_FUZZ_TARGET", &target).arg(&kept).args(seeds.iter().filter(|folder| folder.is_dir()));
        command.arg(format!("-max_total_time={seconds}")).args(LIMITS);
        command.arg(format!("-artifact_prefix={}/", artifacts.display()));
        let found = !command.status()?.success();
        finds += u32::from(found);
        report.push(format!("{target}: {}", if found { "a find" } else { "passed" }));
    }
    match finds {
        0 => Ok(report.join("\n")),
        _ => Err(format!("{}\nthe finds lie in {KEPT}/finds", report.join("\n")).into()),
    }
}

/// The name of a target and the folders its inputs begin with.
type Target = (String, Vec<PathBuf>);

/// The targets as the program lists them.
fn targets() -> Result<Vec<Target>, Box<dyn Error>> {
    let source = fs::read_to_string(Path::new(PACKAGE).join("src/main.rs"))?;
    let table = source.split("const TARGETS").nth(1).and_then(|rest| rest.split("];").next()).unwrap_or_default();
    let names = table.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.split('"').next());
    let folders = |name: &str| -> Vec<PathBuf> {
        let below: &[&str] = match name {
            "path_parse_print" | "fhir_scalar" => &[],
            "xml_parse_print" | "soap_inner" | "cda_helpers" => {
                &["fixtures/cn-xml", "fixtures/cda", "../shared/samples/cn"]
            }
            "json_parse_print" => &["fixtures/hostile/json", "fixtures/cn-json", "../shared/samples/cn"],
            "delimited_rows" => &["fixtures/delimited", "../shared/samples/cn"],
            "document_set" | "strip" => {
                &["fixtures/cn-xml", "fixtures/delimited", "fixtures/cn-json", "../shared/samples/cn"]
            }
            name if name.starts_with("fhir_") => &["fixtures/hl7v2", "fixtures/hostile/json"],
            _ => &["fixtures/hl7v2", "fixtures/hostile/hl7v2", "../shared/corpus/hl7v2"],
        };
        below.iter().map(|folder| Path::new(ROOT).join(folder)).collect()
    };
    Ok(names.map(|name| (name.to_owned(), folders(name))).collect())
}

/// Builds the targets with counters on every edge. Naming the platform keeps the counters out of build scripts.
fn build() -> Result<PathBuf, Box<dyn Error>> {
    let version = Command::new("rustc").arg("-vV").output()?;
    let version = String::from_utf8(version.stdout)?;
    let platform = version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?;
    // The lock file of the workspace decides about versions; only the engine is added.
    fs::copy(Path::new(ROOT).join("Cargo.lock"), Path::new(PACKAGE).join("Cargo.lock"))?;
    let status = Command::new("cargo")
        .args(["build", "--release", "--target", platform, "--target-dir", KEPT, "--manifest-path"])
        .arg(Path::new(PACKAGE).join("Cargo.toml"))
        .env("RUSTFLAGS", COUNTERS)
        .status()?;
    if !status.success() {
        return Err(format!("the targets do not build: {status}").into());
    }
    Ok(Path::new(KEPT).join(platform).join("release/dukou-guided"))
}

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fuzz/guided");
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/guided");
/// Bytes of an input, seconds for one input, MiB of memory.
const LIMITS: [&str; 3] = ["-max_len=6144", "-timeout=10", "-rss_limit_mb=2048"];
const COUNTERS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                        -Cllvm-args=-sanitizer-coverage-trace-compares";
