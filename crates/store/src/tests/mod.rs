//! What the store promises, run against each engine.

mod conditions;
mod durability;
mod groups;
mod house;
mod messages;
mod reading;
mod searching;
mod statements;
mod writing;
