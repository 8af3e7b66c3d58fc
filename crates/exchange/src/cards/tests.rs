//! The fill race in every order of its steps, and the tier as a whole against a truth that changes under it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::flight::{Flight, Flights, Turn};

/// What the steps work on: the truth, what is kept of it, and which change is acknowledged.
struct World {
    truth: u64,
    acknowledged: u64,
    kept: Arc<Mutex<Option<u64>>>,
    flights: Flights<u128, u64>,
    /// Whether a fill looks at the changes that came while it loaded.
    careful: bool,
}

/// One actor and where it stands.
enum Actor {
    /// Commits, drops what is kept, acknowledges; so many times.
    Writer {
        at: u8,
        rounds: u8,
    },
    Reader(Reader),
}

struct Reader {
    step: ReadStep,
    /// The newest change that was acknowledged when the look-up began: nothing older may come back.
    floor: u64,
    rounds: u8,
}

enum ReadStep {
    Look,
    Begin,
    Load(Arc<Flight<u128, u64>>),
    Settle(Arc<Flight<u128, u64>>, u64),
    Wait(Arc<Flight<u128, u64>>),
    Done,
}

impl Actor {
    /// Whether it has a step to do: neither at its end nor waiting.
    fn is_able(&mut self) -> bool {
        match self {
            Actor::Writer { rounds, .. } => *rounds > 0,
            Actor::Reader(reader) => match &reader.step {
                ReadStep::Done => false,
                ReadStep::Wait(flight) => flight.wait(Duration::ZERO).is_some(),
                _ => true,
            },
        }
    }
}

impl World {
    /// Lets one actor that is able to do its next step.
    fn step(&mut self, actor: &mut Actor) -> Result<(), String> {
        match actor {
            Actor::Writer { at, rounds } => {
                match *at {
                    0 => self.truth += 1,
                    1 => {
                        let (kept, truth) = (Arc::clone(&self.kept), self.truth);
                        self.flights.fence(&KEY, || {
                            let mut kept = kept.lock().unwrap();
                            *kept = kept.filter(|seq| *seq >= truth);
                        });
                    }
                    _ => self.acknowledged = self.truth,
                }
                *at = (*at + 1) % 3;
                *rounds -= u8::from(*at == 0);
            }
            Actor::Reader(reader) => return self.read(reader),
        }
        Ok(())
    }

    fn read(&mut self, reader: &mut Reader) -> Result<(), String> {
        let step = std::mem::replace(&mut reader.step, ReadStep::Done);
        reader.step = match step {
            ReadStep::Done => ReadStep::Done,
            ReadStep::Look => {
                reader.floor = self.acknowledged;
                let kept = *self.kept.lock().unwrap();
                match kept {
                    Some(seq) => return self.answer(reader, seq),
                    None => ReadStep::Begin,
                }
            }
            ReadStep::Begin => match self.flights.begin(&KEY) {
                Turn::Lead(flight) => ReadStep::Load(flight),
                Turn::Join(flight) => ReadStep::Wait(flight),
            },
            ReadStep::Load(flight) => ReadStep::Settle(flight, self.truth),
            ReadStep::Settle(flight, seq) => {
                let keep = || *self.kept.lock().unwrap() = Some(seq);
                if !self.flights.settle(&flight, seq, keep) && !self.careful {
                    keep();
                }
                return self.answer(reader, seq);
            }
            ReadStep::Wait(flight) => match flight.wait(Duration::ZERO) {
                Some(seq) => return self.answer(reader, seq),
                None => ReadStep::Wait(flight),
            },
        };
        Ok(())
    }

    fn answer(&self, reader: &mut Reader, seq: u64) -> Result<(), String> {
        reader.rounds -= 1;
        reader.step = if reader.rounds == 0 { ReadStep::Done } else { ReadStep::Look };
        if seq < reader.floor {
            return Err(format!("answered {seq}, though {} was acknowledged before", reader.floor));
        }
        Ok(())
    }
}

/// Walks every order of the steps of a writer and some readers, and counts the orders. The first order that breaks the promise ends it.
fn every_order(writes: u8, readers: &[u8], careful: bool) -> Result<u64, String> {
    let mut orders = 0;
    // The choice at each step of the present order, and how many there were.
    let mut path: Vec<(usize, usize)> = Vec::new();
    loop {
        let kept = Arc::new(Mutex::new(Some(0)));
        let mut world = World { truth: 0, acknowledged: 0, kept, flights: Flights::new(), careful };
        let mut actors = vec![Actor::Writer { at: 0, rounds: writes }];
        let reader = |rounds: &u8| Actor::Reader(Reader { step: ReadStep::Look, floor: 0, rounds: *rounds });
        actors.extend(readers.iter().map(reader));
        *world.kept.lock().unwrap() = None;
        let mut depth = 0;
        loop {
            let able = actors.iter_mut().filter_map(|actor| actor.is_able().then_some(actor));
            let able: Vec<&mut Actor> = able.collect();
            if able.is_empty() {
                break;
            }
            if depth == path.len() {
                path.push((0, able.len()));
            }
            let chosen = path[depth].0;
            depth += 1;
            world.step(able.into_iter().nth(chosen).unwrap())?;
        }
        orders += 1;
        let done = |actor: &Actor| match actor {
            Actor::Writer { rounds, .. } => *rounds == 0,
            Actor::Reader(reader) => matches!(reader.step, ReadStep::Done),
        };
        if !actors.iter().all(done) {
            return Err("an actor waits for ever".to_owned());
        }
        let kept = *world.kept.lock().unwrap();
        if kept.is_some_and(|seq| seq != world.truth) {
            return Err(format!("{kept:?} stays, though {} is true", world.truth));
        }
        // The next order: the last step that had another choice takes it.
        path.truncate(depth);
        while path.last().is_some_and(|(choice, of)| choice + 1 == *of) {
            path.pop();
        }
        match path.last_mut() {
            Some((choice, _)) => *choice += 1,
            None => return Ok(orders),
        }
    }
}

#[test]
fn no_order_of_fills_and_changes_answers_or_keeps_what_an_acknowledged_change_has_overtaken() {
    let orders = every_order(2, &[1, 1], true).unwrap() + every_order(1, &[2, 1], true).unwrap();
    assert!(orders > 50_000, "only {orders} orders were walked");
}

#[test]
fn the_walk_finds_the_race_in_a_fill_that_does_not_look() {
    let found = every_order(1, &[1, 1], false).unwrap_err();
    assert!(found.contains("true") || found.contains("acknowledged"), "{found}");
}

const KEY: u128 = 7;
