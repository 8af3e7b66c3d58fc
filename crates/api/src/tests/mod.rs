//! The door as a client sees it, over the store in memory and a ledger that is turned by hand. No sockets.

mod bundles;
mod capturing;
mod card;
mod claims;
mod crossref;
mod demographics;
mod feeding;
mod house;
mod matching;
mod merging;
mod messages;
mod reading;
mod recording;
mod refusing;
mod searching;
mod writing;
