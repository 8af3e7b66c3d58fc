//! The cards of a node: memory and folder for them, the thread that keeps the memory in order, and their end.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use dukou_audit::Random;
use dukou_exchange::Exchange;
use dukou_exchange::cards::CardLimits;
use dukou_store::Store;
use dukou_store::warm::{Warm, WarmOptions};

use crate::config::Limits;

/// Gives the use cases their cards: memory always, a folder where the site has a secret to seal them with. A folder that cannot be used
/// is no reason not to start: everything in it can be derived again.
pub(crate) fn equip(
    exchange: Exchange,
    data: &Path,
    secret: Option<[u8; 32]>,
    store: &dyn Store,
    random: &dyn Random,
    limits: &Limits,
) -> Exchange {
    let exchange = exchange.with_cards(CardLimits { bytes_max: limits.cards_memory_bytes, ..CardLimits::default() });
    let (Some(secret), true) = (secret, limits.cards_disk_bytes > 0) else { return exchange };
    let head = match store.head() {
        Ok(head) => head,
        Err(error) => {
            tracing::warn!(%error, "the cards of the run before are not used: the store does not say how far it is");
            return exchange;
        }
    };
    let options = WarmOptions { bytes_max: limits.cards_disk_bytes, ..WarmOptions::default() };
    match Warm::open(&data.join("cards"), &secret, head, random, options) {
        Ok(warm) => {
            tracing::info!(fresh = warm.fresh().map(|why| why.as_str()), "cards");
            exchange.with_warm_cards(Arc::new(warm))
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%error, cause, "cards are kept in memory alone");
            exchange
        }
    }
}

/// The thread that does what the cards put off, so that no look-up has to.
pub(crate) struct Tender {
    stop: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Tender {
    pub(crate) fn start(exchange: &Arc<Exchange>) -> std::io::Result<Tender> {
        let stop = Arc::new(AtomicBool::new(false));
        let (told, exchange) = (Arc::clone(&stop), Arc::clone(exchange));
        let thread = std::thread::Builder::new().name("dukou-cards".to_owned()).spawn(move || {
            let mut asked = 0;
            while !told.load(Ordering::Relaxed) {
                let now = exchange.cards().asked();
                let busy = now != asked;
                asked = now;
                if busy {
                    exchange.cards().tend();
                }
                std::thread::park_timeout(if busy { BUSY } else { IDLE });
            }
        })?;
        Ok(Tender { stop, thread: Mutex::new(Some(thread)) })
    }

    /// Ends the thread and waits for it.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        thread.thread().unpark();
        if thread.join().is_err() {
            tracing::error!("the thread of the cards panicked");
        }
    }
}

impl Drop for Tender {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Figures of the cards for `/metrics`: look-ups, cards made from the store, cards of an earlier run, numbers and records held.
pub(crate) fn publish(exchange: &Exchange) {
    let cards = exchange.cards();
    let (numbers, records) = cards.len();
    metrics::counter!("dukou_card_lookups_total").absolute(cards.asked());
    metrics::counter!("dukou_card_loads_total").absolute(cards.loads());
    metrics::counter!("dukou_card_warm_loads_total").absolute(exchange.warm_cards());
    #[allow(clippy::cast_precision_loss, reason = "gauges are floating point by format")]
    {
        metrics::gauge!("dukou_card_numbers_held").set(numbers as f64);
        metrics::gauge!("dukou_card_records_held").set(records as f64);
    }
}

/// Between two rounds while there are look-ups: 64 of them make the cache do its own rounds.
const BUSY: Duration = Duration::from_millis(1);
/// Between two rounds while there are none.
const IDLE: Duration = Duration::from_millis(50);
