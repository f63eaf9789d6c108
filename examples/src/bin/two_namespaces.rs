//! Two namespaces joined by a cable: the least network there is.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::net::TcpListener;

use examples::{ask, greet, look, on_stage};
use libnet::netns::{CableEnd, NetNs, join};

fn main() -> anyhow::Result<()> {
    on_stage(|| {
        let (left, right) = (NetNs::create()?, NetNs::create()?);
        join(
            &CableEnd { netns: &left, name: "eth0".parse()?, address: "10.0.0.1/24".parse()? },
            &CableEnd { netns: &right, name: "eth0".parse()?, address: "10.0.0.2/24".parse()? },
        )?;
        println!("== left\n{}", look(&left)?);
        println!("== right\n{}", look(&right)?);

        // A socket stays in the namespace that it was opened in, whoever uses it afterwards.
        let listener = right.run(|| TcpListener::bind("10.0.0.2:80"))??;
        greet(listener, "right");
        println!("left asks 10.0.0.2:80: {}", ask(&left, "10.0.0.2:80".parse()?)?);

        // Nobody holds the namespaces after this: the kernel takes them and the cable away.
        Ok(())
    })
}
