"""A name server for the benches: `up.example` has an address for an hour, names below `fresh.example` for no time at all;
nothing else exists."""
import socket
import sys

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((sys.argv[1], 53))
SOA = b"\xc0\x0c\x00\x06\x00\x01\x00\x00\x00\x3c\x00\x16\x00\x00" + b"\x00\x00\x00\x01" * 4 + b"\x00\x00\x00\x3c"
HOUR = b"\0\0\x0e\x10"
while True:
    message, sender = sock.recvfrom(512)
    end = message.index(b"\0", 12) + 5
    question = message[12:end]
    name = question.lower()
    if name.endswith(b"\x02up\x07example\0\0\1\0\1"):
        counts, code, rest = b"\0\1\0\0\0\0", b"\x80", b"\xc0\x0c\0\1\0\1" + HOUR + b"\0\4\xc0\0\2\7"
    elif name.endswith(b"\x05fresh\x07example\0\0\1\0\1"):
        counts, code, rest = b"\0\1\0\0\0\0", b"\x80", b"\xc0\x0c\0\1\0\1" + b"\0\0\0\0" + b"\0\4\xc0\0\2\7"
    else:
        counts, code, rest = b"\0\0\0\1\0\0", b"\x83", SOA
    sock.sendto(message[:2] + b"\x81" + code + b"\0\1" + counts + question + rest, sender)
