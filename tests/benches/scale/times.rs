//! Times, and how those of the end compare with those of the beginning.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use super::Outcome;

/// So many of the first and of the last are compared.
pub const EDGE: usize = 25;

/// In the order in which they were taken.
#[derive(Default)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// Of removals, the last is the one of the object that is alone.
    pub fn backwards(&mut self) -> &Self {
        self.0.reverse();
        self
    }

    pub fn report(&self, what: &str) {
        let (first, last) = (median(&self.0[..EDGE]), median(&self.0[self.0.len() - EDGE..]));
        println!("{what} | {first:.2} | {last:.2} | {:.2}", last / first);
    }
}

/// How long `work` takes, and what it gives.
pub async fn timed<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<(Duration, T)> {
    let start = Instant::now();
    let result = work.await?;
    Ok((start.elapsed(), result))
}

pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn median(times: &[Duration]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).copied().map_or(0.0, ms)
}
