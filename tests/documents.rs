//! Documents and a power switch: what was answered survives, once, with its record.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::ledger;
use crate::node::{Answer, Node, http};

/// Three results of one person, a row each; the second row is damaged.
fn rows(id: &str) -> Vec<u8> {
    let header = "机构代码,机构名称,居民姓名,证件类型,证件号码,性别,出生日期,联系电话,健康档案号,项目代码,项目名称,结果,单位,参考范围,异常标志,标本,采样时间,报告时间,检验者,审核者,互认标识,备注";
    // Each file is about a person of its own: what is found about one person is found whichever record is asked for.
    let passport = &id[id.len() - 9..];
    let row = |code: &str, value: &str| {
        format!(
            "99000202,河岸社区卫生服务中心,罗渡口,护照,T{passport},男,1985-07-14,,{id},{code},项目,{value},g/L,1-90,,血清,2026-12-03 07:40,2026-12-03 10:02,苗检验,雷审核,,"
        )
    };
    format!("{header}\n{}\n{}\n{}\n", row("A1", "38.10"), row("A2", "\"1,25\""), row("A3", "7")).into_bytes()
}

fn send(node: &Node, body: &[u8]) -> std::io::Result<Answer> {
    let root = node.fhir.rsplit_once('/').map(|(root, _)| format!("{root}/")).unwrap();
    http(&root, &node.token, "POST", "ingest", body)
}

/// How many results a file has left, and the highest version among them.
fn found(node: &Node, id: &str) -> (usize, u64) {
    let patients = node.get(&format!("/Patient?identifier={id}")).json();
    let Some(patient) = patients["entry"][0]["resource"]["id"].as_str() else { return (0, 0) };
    let bundle = node.get(&format!("/Observation?subject=Patient/{patient}&_count=100")).json();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let version = |entry: &serde_json::Value| entry["resource"]["meta"]["versionId"].as_str()?.parse::<u64>().ok();
    (entries.len(), entries.iter().filter_map(version).max().unwrap_or(0))
}

#[test]
fn a_kill_loses_no_file_that_was_answered_and_applies_none_twice() {
    let folder = tempfile::tempdir().unwrap();
    let answered = Arc::new(Mutex::new(Vec::<(String, Vec<u8>)>::new()));
    let mut receipts = Vec::new();
    for round in 0..6_u64 {
        let node = Arc::new(Node::start(folder.path()));
        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..3)
            .map(|thread| {
                let (node, stop, answered) = (Arc::clone(&node), Arc::clone(&stop), Arc::clone(&answered));
                std::thread::spawn(move || {
                    for n in 0.. {
                        let id = format!("8602020010{round:02}{thread:02}{n:05}");
                        match send(&node, &rows(&id)) {
                            Ok(answer) if answer.status == 200 => answered.lock().unwrap().push((id, answer.body)),
                            Ok(answer) => assert_eq!(answer.status, 503),
                            Err(_) => break,
                        }
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(150 + (round * 53) % 200));
        node.cut();
        stop.store(true, Ordering::Relaxed);
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        drop(node);

        let node = Node::start(folder.path());
        for (id, answer) in answered.lock().unwrap().drain(..) {
            let again = send(&node, &rows(&id)).unwrap();
            assert_eq!((again.status, &again.body), (200, &answer), "a file sent again gets its stored answer");
            receipts.push(again.header("x-audit-receipt").unwrap().to_owned());
            assert_eq!(found(&node, &id), (2, 1), "the good rows of {id} are there once, in one version");
        }
        assert_eq!(node.stop(), Some(0));
    }
    assert!(!receipts.is_empty(), "files were answered at all");
    ledger::assert_sound(&Node::audit_folder(folder.path()));
    ledger::assert_holds(&Node::audit_folder(folder.path()), &receipts);
}
