//! Whoever makes something is killed after every step: the next one brings the host to what is declared.

use super::{
    Declared, DeclaredEndpoint, DeclaredSandbox, Forwarding, NetworkSpec, Parent, ParentNetwork,
    cut::{endpoint, kernel, machine, network, on_a_link, open},
};
use crate::{
    bridge::{self, Step},
    parent,
    types::Egress,
};

fn declared(network: &NetworkSpec) -> Declared {
    Declared { networks: vec![network.clone()], ..Declared::default() }
}

fn both() -> [(NetworkSpec, Vec<Step>); 2] {
    let net = network();
    let island = ParentNetwork { parent: Parent::Island("dm-7".parse().unwrap()), ..on_a_link() };
    [((&net).into(), bridge::create(&net, Forwarding::Enable)), ((&island).into(), parent::create(&island))]
}

#[test]
fn a_network_that_was_begun_is_finished_or_goes() {
    for (net, steps) in both() {
        machine().run(|| {
            let host = open();
            assert!(host.reconcile(&declared(&net)).unwrap().errors.is_empty());
            let whole = kernel();
            host.clear().unwrap();
            let nothing = kernel();
            for (at, wanted) in (0..=steps.len()).flat_map(|at| [(at, &whole), (at, &nothing)]) {
                let step = steps.get(at);
                // At its end it misses what it did not make.
                let _ = open().inner.make_network(&net, &steps[..at]);
                let next = open();
                let declared = if wanted == &whole { declared(&net) } else { Declared::default() };
                let report = next.reconcile(&declared).unwrap();
                assert!(report.errors.is_empty(), "killed before {step:?}: {report:?}");
                assert_eq!(&kernel(), wanted, "killed before {step:?}");
                next.clear().unwrap();
                assert_eq!(kernel(), nothing, "killed before {step:?}");
            }
        });
    }
}

/// The daemon after that knows of the endpoint, and finds that nobody is there any more to take it over.
#[test]
fn an_endpoint_that_was_begun_and_is_nobody_s_goes() {
    machine().run(|| {
        let (net, mut ep) = (network(), endpoint());
        ep.egress = Egress::Deny;
        let spec = NetworkSpec::from(&net);
        let host = open();
        host.create_network(&net).unwrap();
        let before = kernel();
        let steps = bridge::attach(&net, &ep, bridge::Circumstances::default());
        drop(host);
        for at in 0..=steps.len() {
            let step = steps.get(at);
            let host = open();
            host.create_network(&net).unwrap();
            let sandbox = host.open_sandbox("pontoon-0123456789ab").unwrap();
            let ports = host.inner.make_endpoint(&sandbox, &ep, &steps[..at]).unwrap().ports;
            drop((sandbox, host));
            let next = open();
            let endpoints = vec![DeclaredEndpoint { spec: ep.clone(), ports }];
            let sandbox = DeclaredSandbox { name: "pontoon-0123456789ab".to_owned(), endpoints };
            let known = Declared { sandboxes: vec![sandbox], ..declared(&spec) };
            next.reconcile(&known).unwrap();
            let report = next.reconcile(&declared(&spec)).unwrap();
            assert!(report.errors.is_empty(), "killed before {step:?}: {report:?}");
            assert_eq!(kernel(), before, "killed before {step:?}");
        }
    });
}
