# The daily commands. CI calls the same scripts.

# all programs, debug
build:
    cargo build --workspace

# format, clippy, rustdoc, shellcheck
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
    shellcheck .ci/run tests/run.sh tests/benches/*.sh tests/src/lab/stage.sh examples/quickstart.sh

# all tests (root); words go to the runner: just test some_test
test *words:
    bash tests/run.sh -- {{words}}

# the benches, with the peers that are installed
bench:
    bash tests/benches/run.sh

# accept the snapshots that the last test run produced
goldens:
    INSTA_UPDATE=always cargo test --workspace

# run one fuzz target for a minute: just fuzz dns message
fuzz crate target:
    cd {{crate}} && cargo fuzz run {{target}} -- -max_total_time=60

# everything that CI checks
ci:
    bash .ci/run
