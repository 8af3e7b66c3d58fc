//! TLS and client certificates, with openssl and curl as strangers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::house::House;

/// A small certificate authority in a folder.
struct Authority(PathBuf);

impl Authority {
    /// Makes an authority with a certificate for each name below; none where openssl is missing.
    fn new(house: &House) -> Option<Authority> {
        if Command::new("openssl").arg("version").output().is_err() {
            println!("skipped: openssl is not installed");
            return None;
        }
        let folder = house.path("tls");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("ca.cnf"), SETTINGS).unwrap();
        fs::write(folder.join("index.txt"), "").unwrap();
        fs::write(folder.join("crlnumber"), "01\n").unwrap();
        let made = Command::new("sh").current_dir(&folder).args(["-e", "-c", MAKE]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Some(Authority(folder))
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// SHA-256 of a certificate's DER form, as partner files name it.
    fn fingerprint(&self, name: &str) -> String {
        let der = Command::new("openssl").args(["x509", "-outform", "der", "-in", &self.file(name)]).output().unwrap();
        Sha256::digest(der.stdout).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Status of one GET, 0 where no answer came; `client` names a certificate to show.
    fn get(&self, address: &str, path: &str, client: Option<&str>, token: Option<&str>) -> String {
        let mut curl = Command::new("curl");
        curl.args([
            "-s",
            "-m",
            "10",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code} %{http_version}",
            "--cacert",
            &self.file("ca.pem"),
        ]);
        if let Some(name) = client {
            curl.args(["--cert", &self.file(&format!("{name}.pem")), "--key", &self.file(&format!("{name}.key"))]);
        }
        if let Some(token) = token {
            curl.args(["-H", &format!("Authorization: Bearer {token}")]);
        }
        let asked = curl.arg(format!("https://{address}{path}")).output().unwrap();
        String::from_utf8_lossy(&asked.stdout).split(' ').next().unwrap().to_owned()
    }

    /// What comes back over a bare TLS connection.
    fn talk(&self, address: &str, extra: &[&str], say: &[u8]) -> String {
        use std::io::Write;
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-connect", address, "-CAfile", &self.file("ca.pem")]).args(extra);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // A refused handshake closes the pipe under us.
        let _told = child.stdin.take().unwrap().write_all(say);
        String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned()
    }
}

fn listeners(crl: &str) -> String {
    let tls = format!(
        "certificate = \"tls/server.pem\", key = \"tls/server.key\", client_ca = \"tls/ca.pem\", client_crl = \"tls/{crl}\""
    );
    format!(
        "[listen]\nadmin = \"127.0.0.1:0\"\n[listen.fhir]\naddress = \"127.0.0.1:0\"\ntls = {{ {tls} }}\n\
         [[mllp]]\nname = \"over-tls\"\naddress = \"127.0.0.1:0\"\ntls = {{ {tls}, client_certificate_required = true }}\n"
    )
}

fn register(house: &House, authority: &Authority) {
    let names = ["bureau", "expired", "revoked", "server-only"];
    let listed: Vec<String> =
        names.iter().map(|name| format!("\"{}\"", authority.fingerprint(&format!("{name}.pem")))).collect();
    house.add_partner(&format!(
        "\n[[client]]\nid = \"bureau\"\ncertificate_sha256 = [{}]\nscopes = \"system/*.cruds\"\ndefault_purpose = \"TREAT\"\n",
        listed.join(", ")
    ));
}

#[test]
fn who_shows_a_registered_certificate_is_known_by_it_and_nobody_else_comes_in() {
    let mut house = House::new();
    let Some(authority) = Authority::new(&house) else { return };
    register(&house, &authority);
    house.listen = listeners("ca.crl");
    house.limits = "idle_ms_max = 1000".to_owned();
    let doors = house.open();
    let get = |path, client, token| authority.get(&doors.fhir, path, client, token);
    let (patients, token) = ("/fhir/Patient", Some(doors.token.as_str()));
    assert_eq!(get("/fhir/metadata", None, None), "200", "anyone may read what is offered");
    assert_eq!(get(patients, None, None), "401");
    assert_eq!(get(patients, None, token), "401", "a static token needs a certificate beside it");
    assert_eq!(get(patients, Some("bureau"), None), "200");
    assert_eq!(get(patients, Some("bureau"), token), "401", "the token belongs to another client");
    assert_eq!(get(patients, Some("nobody"), None), "401", "certified, but not registered");
    for name in ["stranger", "expired", "revoked", "server-only"] {
        assert_eq!(get(patients, Some(name), None), "000", "{name}");
    }
    let old =
        authority.talk(&doors.fhir, &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], b"GET /fhir/metadata HTTP/1.0\r\n\r\n");
    assert_eq!(old, "", "TLS 1.1 is not spoken");
    let newer = authority.talk(&doors.fhir, &["-tls1_2"], b"GET /fhir/metadata HTTP/1.0\r\n\r\n");
    assert!(newer.starts_with("HTTP/1.0 200"), "{newer}");
    assert_eq!(doors.stop(), Some(0));

    let trail = house.trail();
    let primaries = trail.primaries();
    let clients: Vec<_> = primaries.iter().map(|primary| (primary.client.as_str(), primary.status)).collect();
    assert_eq!(clients, [("bureau", 200)]);
    assert_eq!(trail.counts()[&("127.0.0.1".to_owned(), "bad-tls".to_owned(), 0)], 5, "{:?}", trail.counts());
}

#[test]
fn messages_over_tls_belong_to_the_client_of_the_certificate() {
    let mut house = House::new();
    let Some(authority) = Authority::new(&house) else { return };
    register(&house, &authority);
    house.listen = listeners("ca.crl");
    house.limits = "idle_ms_max = 700".to_owned();
    let doors = house.open();
    let message =
        b"\x0bMSH|^~\\&|LIS|H1|DUKOU|H1|20261120081500+0800||ADT^A04^ADT_A01|T-1|P|2.5.1\rEVN|A04|20261120081500\r\
                    PID|1||20000001^^^H1^MR||WANG||19580312|M\rPV1|1|O\r\x1c\r";
    let shown = |name: &str| {
        [
            "-cert".to_owned(),
            authority.file(&format!("{name}.pem")),
            "-key".to_owned(),
            authority.file(&format!("{name}.key")),
        ]
    };
    let send = |name: &str| {
        let shown = shown(name);
        authority.talk(&doors.mllp[0], &shown.each_ref().map(String::as_str), message)
    };
    assert!(send("bureau").contains("MSA|AA|T-1"));
    for name in ["nobody", "stranger", "expired", "revoked"] {
        assert_eq!(send(name), "", "{name} gets no answer");
    }
    assert_eq!(authority.talk(&doors.mllp[0], &[], message), "", "nor does who shows none");
    assert_eq!(doors.stop(), Some(0));
    let trail = house.trail();
    let clients: Vec<_> =
        trail.primaries().iter().map(|primary| (primary.client.clone(), primary.ack.clone())).collect();
    assert_eq!(clients, [("bureau".to_owned(), "AA".to_owned())]);
    let counts = trail.counts();
    let count = |what: &str| counts[&("127.0.0.1".to_owned(), what.to_owned(), 0)];
    assert_eq!((count("bad-tls"), count("credential-unknown")), (4, 1));
}

#[test]
fn a_stale_revocation_list_lets_no_certificate_in() {
    let mut house = House::new();
    let Some(authority) = Authority::new(&house) else { return };
    register(&house, &authority);
    house.listen = listeners("stale.crl");
    let doors = house.open();
    assert_eq!(authority.get(&doors.fhir, "/fhir/Patient", Some("bureau"), None), "000");
    assert_eq!(authority.get(&doors.fhir, "/fhir/metadata", None, None), "200");
    assert_eq!(doors.stop(), Some(0));
    assert_eq!(house.trail().primaries().len(), 0);
}

#[test]
fn a_secret_that_others_can_read_stops_the_start() {
    let mut house = House::new();
    let Some(_authority) = Authority::new(&house) else { return };
    house.listen = listeners("ca.crl");
    for secret in ["tls/server.key", "tokens/system"] {
        let path = house.path(secret);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = house.refused();
        let printed = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(3), "{printed}");
        assert!(printed.contains(secret) && printed.contains("chmod 600"), "{printed}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::write(house.path("tls/server.key"), "no key").unwrap();
    assert!(String::from_utf8_lossy(&house.refused().stderr).contains("server.key"));
}

const SETTINGS: &str = "[ca]\ndefault_ca = here\n[here]\ndatabase = index.txt\nnew_certs_dir = .\ncertificate = ca.pem\nprivate_key = ca.key\n\
    default_md = sha256\npolicy = named\ndefault_days = 30\ndefault_crl_days = 30\nunique_subject = no\nrand_serial = yes\n\
    crlnumber = crlnumber\ncrl_extensions = revoked\n[revoked]\nauthorityKeyIdentifier = keyid\n\
    [named]\ncommonName = supplied\n[req]\ndistinguished_name = empty\n[empty]\n\
    [own]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = keyCertSign, cRLSign\n\
    [client]\nbasicConstraints = CA:FALSE\nextendedKeyUsage = clientAuth\n\
    [server]\nbasicConstraints = CA:FALSE\nextendedKeyUsage = serverAuth\nsubjectAltName = IP:127.0.0.1, DNS:localhost\n";

/// The server's certificate and those of clients: in order, of another authority, expired, revoked, without the right use.
const MAKE: &str = r#"
export OPENSSL_CONF=ca.cnf
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $1.key 2>/dev/null; chmod 600 $1.key; }
ask() { key $1; openssl req -new -key $1.key -subj /CN=$1 -out $1.csr; }
sign() { openssl ca -batch -notext -config ca.cnf -in $1.csr -out $1.pem -extensions $2 $3 2>/dev/null; }
own() { key $1; openssl req -x509 -new -key $1.key -subj /CN=$1 -days 30 -extensions own -out $1.pem; }
own ca; own other
for name in server bureau nobody expired revoked server-only stranger; do ask $name; done
sign server server; sign server-only server; sign bureau client; sign nobody client; sign revoked client
sign expired client "-startdate 20200101000000Z -enddate 20200201000000Z"
sign stranger client "-cert other.pem -keyfile other.key"
openssl ca -config ca.cnf -revoke revoked.pem 2>/dev/null
openssl ca -config ca.cnf -gencrl -out ca.crl 2>/dev/null
openssl ca -config ca.cnf -gencrl -crl_lastupdate 20200101000000Z -crl_nextupdate 20200201000000Z -out stale.crl 2>/dev/null
"#;
