//! The world around one node: time, senders, clients, what goes wrong, and the restarts after it.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use dukou_audit::storage::Faulty;
use dukou_audit::{Clock, Ledger, ManualClock, SeededRandom, Standing};
use dukou_fhir::Instant;
use dukou_mapping::Program;

use super::callers::{Caller, Order};
use super::check;
use super::fault::{Fault, in_the_ledger};
use super::heard::{Heard, is_conflict};
use super::node::{Cut, Delivered, Ground, Node, keys, options};
use super::rows::Rows;
use super::senders::{Letter, Posted, Sender};

/// One run: everything in it follows from its seed.
pub(crate) struct World {
    pub(crate) ground: Ground,
    pub(crate) heard: Heard,
    seed: u64,
    choice: SeededRandom,
    disk: Faulty,
    rows: Rows,
    node: Option<Arc<Node>>,
    senders: Vec<Sender>,
    callers: Vec<Caller>,
    rivals: Arc<Mutex<Vec<Overtook>>>,
    full_for: u64,
    /// Whether a fault of the ledger's disk is still to come, or came since the start.
    struck: bool,
    /// Orders given so far: the numbers of the pairs.
    pub(crate) orders: u64,
    log: Vec<String>,
    /// How many crashes it saw.
    pub(crate) crashes: u64,
}

/// What somebody else did while a request was under way.
enum Overtook {
    Message(usize, Posted, bytes::Bytes, Delivered),
    Order(Order, Box<super::node::Left<Result<Vec<dukou_exchange::EntryResult>, dukou_exchange::Error>>>),
}

impl World {
    pub(crate) fn new(seed: u64, rows: Rows, program: &Arc<ArcSwap<Program>>) -> World {
        let choice = SeededRandom::new(seed);
        let ground = Ground {
            clock: Arc::new(ManualClock::new(MORNING_NS)),
            entropy: Arc::new(SeededRandom::new(seed ^ 0xd0c0)),
            program: Arc::clone(program),
            requests: Arc::new(AtomicU64::new(1)),
            segment_bytes: if choice.number().is_multiple_of(2) { 64 << 10 } else { 256 << 10 },
        };
        let disk = Faulty::new();
        Ledger::create(&disk, &keys(), "hospital.example/simulation", &options(ground.segment_bytes), &*ground.clock)
            .unwrap();
        let node = Node::open(&ground, &disk, &rows).unwrap();
        World {
            ground,
            heard: Heard::default(),
            seed,
            choice,
            disk,
            rows,
            node: Some(Arc::new(node)),
            senders: Sender::all(),
            callers: Caller::all(),
            rivals: Arc::default(),
            full_for: 0,
            struck: false,
            orders: 0,
            log: Vec::new(),
            crashes: 0,
        }
    }

    /// Lives through so many steps, then mends everything and checks what is left.
    pub(crate) fn run(&mut self, steps: u64) {
        for _ in 0..steps {
            self.step();
        }
        self.finish();
    }

    /// The node, between two crashes.
    pub(crate) fn node(&self) -> &Arc<Node> {
        self.node.as_ref().unwrap()
    }

    pub(crate) fn disk(&self) -> &Faulty {
        &self.disk
    }

    fn pick(&self, n: u64) -> u64 {
        self.choice.number() % n
    }

    fn place(&self, n: usize) -> usize {
        usize::try_from(self.pick(n as u64)).unwrap_or(0)
    }

    fn step(&mut self) {
        self.ground.clock.pass(1_000_000 + self.pick(2_000_000_000));
        if self.pick(30) == 0 {
            let hours = i64::try_from(self.pick(48)).unwrap_or(0) - 24;
            self.ground.clock.jump(hours * 3_600_000_000_000);
        }
        let fault = Fault::draw(&self.choice, self.disk.syncs(), self.disk.writes());
        self.log.push(format!("{fault:?}"));
        self.begin(fault);
        let cut = match fault {
            Fault::KilledBehindCommit(n) => Cut::BehindCommit(n),
            _ => Cut::Never,
        };
        if self.pick(5) < 3 {
            self.send(fault, cut)
        } else {
            self.order(fault, cut)
        }
        self.node().contest.set(None);
        self.hear_rivals();
        if fault.kills() || self.node().is_poisoned() {
            self.crash();
        } else if fault == Fault::Stopped {
            self.stop();
        } else {
            self.keep();
        }
    }

    fn begin(&mut self, fault: Fault) {
        match (fault, &self.node().model) {
            (Fault::KilledBefore, _) => self.crash(),
            (Fault::Ledger(fault), _) => {
                self.disk.plan(fault);
                self.struck = true;
            }
            (Fault::Store(fault), Some(model)) => model.fail_after(0, fault),
            (Fault::NoSpace(left), _) if self.full_for == 0 => {
                self.disk.limit(Some(self.disk.used() + left));
                self.full_for = 2 + self.pick(8);
                if self.pick(3) == 0 {
                    self.fill();
                }
            }
            _ => {}
        }
    }

    /// Reads until the ledger has no room left for it.
    fn fill(&mut self) {
        let order = Order::Search { kind: "Patient", criteria: "family=nobody" };
        for _ in 0..400 {
            let node = Arc::clone(self.node());
            let Some(left) = node.ask("portal", order.interaction(), Cut::Never, |e, p| order.run(e, p)) else {
                return;
            };
            self.heard.reply(&order, &left);
        }
    }

    fn send(&mut self, fault: Fault, cut: Cut) {
        let at = self.place(self.senders.len());
        let now = Instant::from_nanos(self.ground.clock.wall_ns());
        let (posted, letter) = self.senders[at].next(now, &self.choice);
        let node = Arc::clone(self.node());
        if fault == Fault::Rival {
            self.let_a_sender_overtake(at, &letter, now);
        }
        let sender = &mut self.senders[at];
        let delivered = node.deliver(sender.client, &sender.link, &letter.raw, cut);
        self.log.push(format!("{} {posted:?} {}", sender.client, codes(&delivered)));
        self.heard.message(sender.client, &letter.raw, &delivered);
        if delivered.answered && posted == Posted::Forged {
            assert!(is_conflict(&delivered.steps[0].answer), "other content under a used control id is refused");
        }
        if delivered.answered && posted == Posted::Head && !fault.silences() {
            sender.advance();
        }
    }

    /// The same message comes over a second connection, or another system speaks of the same people.
    fn let_a_sender_overtake(&mut self, at: usize, letter: &Letter, now: Instant) {
        let rival = self.place(self.senders.len());
        let (posted, letter) = match rival == at {
            true => (Posted::Again, letter.clone()),
            false => self.senders[rival].next(now, &self.choice),
        };
        let (node, rivals) = (Arc::clone(self.node()), Arc::clone(&self.rivals));
        let (client, link) = (self.senders[rival].client, self.senders[rival].link.clone());
        self.node().contest.set(Some(Box::new(move || {
            let delivered = node.deliver(client, &link, &letter.raw, Cut::Never);
            rivals.lock().unwrap().push(Overtook::Message(rival, posted, letter.raw, delivered));
        })));
    }

    fn order(&mut self, fault: Fault, cut: Cut) {
        let at = self.place(self.callers.len());
        self.orders += 1;
        let order = self.callers[at].next(self.orders, &self.choice);
        let node = Arc::clone(self.node());
        if fault == Fault::Rival {
            let (node, rivals, rival) = (Arc::clone(&node), Arc::clone(&self.rivals), self.rival_of(&order));
            self.node().contest.set(Some(Box::new(move || {
                let left = node.ask("rival", rival.interaction(), Cut::Never, |e, p| rival.run(e, p));
                rivals.lock().unwrap().extend(left.map(|left| Overtook::Order(rival, Box::new(left))));
            })));
        }
        let caller = &mut self.callers[at];
        let left = node.ask(caller.name, order.interaction(), cut, |exchange, permit| order.run(exchange, permit));
        self.log.push(format!(
            "{} {order:?} {}",
            caller.name,
            left.as_ref().map_or("-", |l| if l.answer.is_ok() { "ok" } else { "no" })
        ));
        let Some(left) = left else { return };
        self.heard.reply(&order, &left);
        match &left.answer {
            _ if fault.silences() => {}
            Ok(results) => caller.hear(results),
            Err(_) => caller.give_up(),
        }
    }

    /// Somebody else wants the same, or changes what the order is about.
    fn rival_of(&self, order: &Order) -> Order {
        match order {
            Order::Patch { key, .. } | Order::Delete { key } if self.pick(2) == 0 => {
                Order::Patch { key: key.clone(), if_match: None, n: 1_000 + self.pick(1_000) }
            }
            Order::Put { id, .. } => Order::Put { id: *id, if_match: None, n: 1_000 + self.pick(1_000) },
            other => other.clone(),
        }
    }

    fn hear_rivals(&mut self) {
        for overtook in std::mem::take(&mut *self.rivals.lock().unwrap()) {
            match overtook {
                Overtook::Message(at, posted, raw, delivered) => {
                    self.heard.message(self.senders[at].client, &raw, &delivered);
                    if delivered.answered && posted == Posted::Head {
                        self.senders[at].advance();
                    }
                }
                Overtook::Order(order, left) => self.heard.reply(&order, &left),
            }
        }
    }

    /// The work of every second, as the gateway does it.
    fn keep(&mut self) {
        let node = Arc::clone(self.node());
        if self.full_for > 0 {
            self.full_for -= 1;
            if self.full_for == 0 {
                self.disk.limit(None);
                // The first attempt may meet a fault of its own.
                (0..2).for_each(|_| node.ledger.tick());
                assert!(
                    node.ledger.poisoned() || node.gate.standing() == Standing::Serving,
                    "space returned without a restart"
                );
            }
        }
        if self.pick(3) == 0 {
            node.ledger.tick();
        }
        if self.pick(4) == 0
            && let Err(error) = node.store.trim_records(node.ledger.noted_jseq())
        {
            self.log.push(format!("trim: {error}"));
        }
        if let Some(model) = &node.model
            && self.pick(2) == 0
        {
            model.mend();
        }
        if node.is_poisoned() {
            self.crash();
        }
    }

    /// The process is killed, and started again without further faults.
    pub(crate) fn kill(&mut self) {
        self.disk = self.disk.killed();
        let left = self.rows.left(&[]);
        self.node = None;
        self.rows = left;
        self.start(false);
    }

    /// The process ends without a word. The page cache may live on, or power may fail.
    fn crash(&mut self) {
        self.crashes += 1;
        let (loss, disk) = match self.pick(10) {
            0..5 => ("killed", self.disk.killed()),
            5..8 => ("power lost", self.disk.power_lost(self.choice.number())),
            _ => ("unsynced dropped", self.disk.unsynced_dropped()),
        };
        self.log.push(loss.to_owned());
        self.disk = disk;
        let torn: Vec<u8> = (0..self.pick(3) * 700).map(|n| (n ^ self.seed) as u8).collect();
        let left = self.rows.left(&torn);
        self.node = None;
        self.rows = left;
        self.start(true);
    }

    fn stop(&mut self) {
        super::people::are_as_built_anew(self.node());
        let node = Arc::into_inner(self.node.take().unwrap()).expect("nobody else holds the node");
        let full = self.full_for > 0;
        let stopped = node.ledger.stop();
        assert!(stopped.is_ok() || full || self.struck, "a node that serves stops in good order");
        drop((node.store, node.exchange, node.contest, node.model));
        self.disk = self.disk.killed();
        self.start(true);
    }

    /// Starts until it stands. The first attempt may be struck as well.
    fn start(&mut self, dangerous: bool) {
        self.struck = dangerous && self.pick(5) == 0;
        if self.struck {
            let fault = in_the_ledger(self.pick(5), 1 + self.pick(12), 1 + self.pick(12));
            self.log.push(format!("a start with {fault:?}"));
            self.disk.plan(fault);
        }
        for attempt in 0.. {
            match Node::open(&self.ground, &self.disk, &self.rows) {
                Ok(node) => {
                    self.node = Some(Arc::new(node));
                    break;
                }
                Err(why) => {
                    self.log.push(format!("start {attempt}: {why}"));
                    assert!(attempt < 2, "a start that meets no fault succeeds: {why}");
                    // An operator makes room and starts again.
                    self.disk.limit(None);
                    self.full_for = 0;
                    self.struck = false;
                    let killed = self.pick(2) == 0;
                    self.log.push(if killed { "killed" } else { "power lost" }.to_owned());
                    self.disk = if killed { self.disk.killed() } else { self.disk.power_lost(self.choice.number()) };
                }
            }
        }
        self.resume();
        check::after_recovery(self);
        if self.node().is_poisoned() {
            self.crash();
        }
    }

    /// Takes up what was accepted and not applied.
    fn resume(&mut self) {
        let node = Arc::clone(self.node());
        for at in 0..self.senders.len() {
            let link = self.senders[at].link.clone();
            for (client, raw, left) in node.resume(&link) {
                self.heard.step(&client, &raw, 1, &left);
            }
        }
    }

    /// Everything is mended; what waits is sent once more and must be answered; then all promises are looked at.
    fn finish(&mut self) {
        super::people::are_as_built_anew(self.node());
        self.disk.limit(None);
        self.full_for = 0;
        self.kill();
        for at in 0..self.senders.len() {
            let node = Arc::clone(self.node());
            let sender = &mut self.senders[at];
            let Some(letter) = sender.waiting.clone() else { continue };
            let delivered = node.deliver(sender.client, &sender.link, &letter.raw, Cut::Never);
            assert!(delivered.answered, "a mended node answers");
            self.heard.message(sender.client, &letter.raw, &delivered);
            sender.advance();
        }
        check::at_the_end(self);
    }

    /// Ends the node in good order and gives its disk.
    pub(crate) fn stopped(&mut self) -> &Faulty {
        let node = Arc::into_inner(self.node.take().unwrap()).expect("nobody else holds the node");
        node.ledger.stop().unwrap();
        &self.disk
    }

    /// The node once more over the same disk and rows.
    pub(crate) fn reopened(&mut self) -> &Arc<Node> {
        self.node = Some(Arc::new(Node::open(&self.ground, &self.disk, &self.rows).unwrap()));
        self.node()
    }

    /// The link of a client.
    pub(crate) fn link(&self, client: &str) -> &dukou_exchange::Link {
        &self.senders.iter().find(|sender| sender.client == client).unwrap().link
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let from = self.log.len().saturating_sub(30);
            eprintln!("the run of seed {} failed; its last steps:\n{}", self.seed, self.log[from..].join("\n"));
        }
    }
}

fn codes(delivered: &Delivered) -> String {
    let codes = delivered.steps.iter().map(|left| String::from_utf8_lossy(&left.answer.code).into_owned());
    codes.collect::<Vec<_>>().join(" ")
}

/// The morning of 20 November 2026 in China.
const MORNING_NS: i64 = 1_795_132_800_000_000_000;
