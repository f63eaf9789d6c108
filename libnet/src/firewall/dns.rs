//! The redirection of DNS inside a container's namespace: what the container sends to 127.0.0.11:53 goes to the sockets
//! of the DNS server, which are bound to other ports, so that the container can have a server of its own on 0.0.0.0:53.

use std::net::Ipv4Addr;

use super::{
    FirewallError, NfSocket,
    nft::{
        chain::{Anchor, Chain, Hook, Table, TableFamily},
        field::End,
        op::Op,
        rule::Rule,
    },
    transact::commit,
};
use crate::types::{Port, Proto};

/// Where containers find their DNS server: Docker's address.
const SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
const DOMAIN: u16 = 53;
const TABLE: Table = Table { family: TableFamily::Ip, name: "pontoon-dns" };

/// Makes table `ip pontoon-dns` in the namespace of `socket`, in place of one that is there: 127.0.0.11:53 leads to 127.0.0.11:`udp` and
/// 127.0.0.11:`tcp`. Answers are translated back by the connection they belong to; the source rule is for what the
/// server sends first.
///
/// # Errors
/// If the kernel refuses.
pub fn dns_redirect(socket: &mut NfSocket, udp: Port, tcp: Port) -> Result<(), FirewallError> {
    commit(socket, &redirection(udp, tcp), None)
}

/// Removes the table, if it is there.
///
/// # Errors
/// If the kernel refuses.
pub(crate) fn dns_no_redirect(socket: &mut NfSocket) -> Result<(), FirewallError> {
    commit(socket, &[Op::AddTable(TABLE, "made by Pontoon"), Op::DeleteTable(TABLE)], None)
}

fn redirection(udp: Port, tcp: Port) -> Vec<Op> {
    let Some(domain) = Port::new(DOMAIN) else { return Vec::new() };
    let sockets = [(Proto::Udp, udp), (Proto::Tcp, tcp)];
    let there = sockets.map(|(proto, port)| {
        Rule::new().ip_end(End::Destination, SERVER, proto, domain).nat_to(End::Destination, SERVER, port)
    });
    let back = sockets.map(|(proto, port)| {
        Rule::new().ip_end(End::Source, SERVER, proto, port).nat_to(End::Source, SERVER, domain)
    });
    let nat = |name, hook, priority, rules: [Rule; 2]| Chain {
        name,
        anchor: Some(Anchor { kind: "nat", hook, priority }),
        rules: rules.into(),
    };
    let chains = [nat("output", Hook::Output, -100, there), nat("postrouting", Hook::Postrouting, 100, back)];
    // A table that is there can't be told from one that is not, so that one is made before it is deleted.
    let make = || Op::AddTable(TABLE, "made by Pontoon");
    let mut ops = vec![make(), Op::DeleteTable(TABLE), make()];
    for mut chain in chains {
        let (name, rules) = (chain.name, std::mem::take(&mut chain.rules));
        ops.push(Op::AddChain(TABLE, chain));
        ops.extend(rules.into_iter().map(|rule| Op::AddRule(TABLE, name, rule)));
    }
    ops
}
