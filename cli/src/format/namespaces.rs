//! Rows of `netns ls`.

use super::list::Kind;

pub(crate) const KIND: Kind = Kind {
    type_name: "*formatter.namespaceContext",
    headings: &[
        ("Name", "NAME"),
        ("Path", "PATH"),
        ("Inode", "NS"),
        ("Processes", "PROCESSES"),
        ("Pids", "PIDS"),
        ("Links", "LINKS"),
        ("Addresses", "ADDRESSES"),
        ("Container", "CONTAINER"),
        ("Networks", "NETWORKS"),
    ],
    table: "{{.Name}}\t{{.Inode}}\t{{.Processes}}\t{{.Links}}\t{{.Addresses}}\t{{.Container}}",
    raw: "name: {{.Name}}\ninode: {{.Inode}}\nprocesses: {{.Processes}}\nlinks: {{.Links}}\naddresses: {{.Addresses}}\ncontainer: {{.Container}}\n",
    quiet: "{{.Name}}",
};
