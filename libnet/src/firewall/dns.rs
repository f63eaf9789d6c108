//! The redirection of DNS inside a container's namespace: what the container sends to 127.0.0.11:53 goes to the sockets
//! of the DNS server, which are bound to other ports, so that the container can have a server of its own on 0.0.0.0:53.

use std::net::Ipv4Addr;

use super::{
    FirewallError, NfSocket,
    nft::{
        chain::{Anchor, Chain, Hook, Table, TableFamily},
        field::End,
        matches::Summed,
        op::Op,
        rule::Rule,
    },
    transact::commit,
};
use crate::types::Port;

/// Where containers find their DNS server: Docker's address.
const SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
const DOMAIN: u16 = 53;
const TABLE: Table = Table { family: TableFamily::Ip, name: "pontoon-dns" };

/// Makes table `ip pontoon-dns` in the namespace of `socket`, in place of one that is there: 127.0.0.11:53 leads to
/// 127.0.0.11:`udp` and 127.0.0.11:`tcp`.
///
/// Ports are written into packets, and no connection is followed for it: the kernel would follow all of the namespace's.
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
    let sockets = [(Summed::Udp, udp), (Summed::Tcp, tcp)];
    let questions = sockets.map(|(proto, port)| {
        let question = Rule::new().ip_end(End::Destination, SERVER, proto.into(), domain);
        question.set_port(End::Destination, proto, port)
    });
    let answers = sockets.map(|(proto, port)| {
        Rule::new().ip_end(End::Source, SERVER, proto.into(), port).set_port(End::Source, proto, domain)
    });
    let chain = |name, priority, rules: [Rule; 2]| Chain {
        name,
        anchor: Some(Anchor { kind: "filter", hook: Hook::Output, priority }),
        rules: rules.into(),
    };
    // Rules of the container's own, and connections that are followed for their sake, are to see port 53 alone: answers
    // are written before them (-300, `raw`), questions after them.
    let chains = [chain("answers", -300, answers), chain("questions", 300, questions)];
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
