#!/usr/bin/env python3
"""Brokers of Kafka for tests, in one process: the mock cluster of librdkafka, which speaks the real protocol.

Told what to do on standard input, a JSON object a line; answers each with one on standard output. With `front`, a front
of TLS and of SASL stands before each broker, which the mock itself does not speak; that the front is as a broker is
judged by librdkafka, which reads through it as a client. SCRAM is written here from RFC 5802, by hashlib alone.
"""

import asyncio
import base64
import ctypes
import glob
import hashlib
import hmac
import json
import os
import ssl
import struct
import sys
import threading

import confluent_kafka

FOLDER = os.path.dirname(confluent_kafka.__file__)
lib = ctypes.CDLL(glob.glob(os.path.join(FOLDER, "..", "confluent_kafka.libs", "librdkafka-*"))[0])
P, I, S = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
for name, restype, argtypes in [
    ("rd_kafka_conf_new", P, []),
    ("rd_kafka_new", P, [I, P, S, ctypes.c_size_t]),
    ("rd_kafka_mock_cluster_new", P, [P, I]),
    ("rd_kafka_mock_cluster_bootstraps", S, [P]),
    ("rd_kafka_mock_topic_create", I, [P, S, I, I]),
    ("rd_kafka_mock_partition_set_leader", I, [P, S, ctypes.c_int32, ctypes.c_int32]),
    ("rd_kafka_mock_broker_set_down", I, [P, ctypes.c_int32]),
    ("rd_kafka_mock_broker_set_up", I, [P, ctypes.c_int32]),
    ("rd_kafka_mock_broker_set_host_port", I, [P, ctypes.c_int32, S, I]),
    ("rd_kafka_mock_push_request_errors_array", None, [P, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(I)]),
]:
    function = getattr(lib, name)
    function.restype, function.argtypes = restype, argtypes

HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
SALT, ROUNDS = b"a salt of the broker", 4096


class Front:
    """What a client meets first: TLS, then a login, and then the broker itself."""

    def __init__(self, broker, context, mechanisms, user, password):
        self.broker, self.context = broker, context
        self.mechanisms, self.user, self.password = mechanisms, user, password

    async def start(self):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=self.context)
        return server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        upstream = None
        try:
            upstream = await asyncio.open_connection(*self.broker)
            await self.login(reader, writer, upstream)
            await asyncio.gather(pipe(reader, upstream[1]), pipe(upstream[0], writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            if upstream:
                upstream[1].close()

    async def login(self, reader, writer, upstream):
        mechanism, scram = None, None
        while True:
            request = await frame(reader)
            key, version, number = struct.unpack(">hhi", request[:8])
            body = request[10 + struct.unpack(">h", request[8:10])[0]:]
            if key == 18:
                # The mock's own answer, and the two requests that the front takes.
                upstream[1].write(struct.pack(">ihhihs", 11, 18, 0, number, 1, b"f"))
                answer = (await frame(upstream[0]))[4:]
                count = struct.unpack(">i", answer[2:6])[0]
                if version > 0:
                    # As brokers do with a version that they do not know.
                    send(writer, number, struct.pack(">hihhh", 35, 1, 18, 0, 0))
                    continue
                own = struct.pack(">hhhhhh", 17, 0, 1, 36, 0, 1)
                send(writer, number, struct.pack(">hi", 0, count + 2) + answer[6:] + own)
            elif key == 17:
                mechanism = body[2:].decode()
                known = mechanism in self.mechanisms
                names = b"".join(struct.pack(">h", len(it)) + it.encode() for it in self.mechanisms)
                send(writer, number, struct.pack(">hi", 0 if known else 33, len(self.mechanisms)) + names)
            elif key == 36:
                message = body[4:].decode()
                if mechanism == "PLAIN":
                    answer, is_in = b"", message.split("\0") == ["", self.user, self.password]
                elif scram is None:
                    scram = Scram(HASHES[mechanism], self.user, self.password, message)
                    answer, is_in = scram.first.encode(), None
                else:
                    answer, is_in = scram.last(message)
                    scram = None
                tail = struct.pack(">q", 0) if version > 0 else b""
                if is_in is False:
                    said = b"Authentication failed during authentication due to invalid credentials"
                    send(writer, number, struct.pack(">hh", 58, len(said)) + said + struct.pack(">i", 0) + tail)
                    return await writer.drain()
                send(writer, number, struct.pack(">hhi", 0, -1, len(answer)) + answer + tail)
                if is_in:
                    return
            else:
                # Nothing else before a login.
                raise ConnectionError(f"request {key} without a login")


class Scram:
    def __init__(self, digest, user, password, message):
        self.digest, self.bare = digest, message.split(",", 2)[2]
        fields = dict(part.split("=", 1) for part in self.bare.split(","))
        self.known = fields["n"].replace("=2C", ",").replace("=3D", "=") == user
        self.salted = hashlib.pbkdf2_hmac(digest, password.encode(), SALT, ROUNDS)
        self.nonce = fields["r"] + "broker"
        self.first = f"r={self.nonce},s={base64.b64encode(SALT).decode()},i={ROUNDS}"

    def last(self, message):
        without_proof, proof = message.rsplit(",p=", 1)
        said = f"{self.bare},{self.first},{without_proof}".encode()
        mac = lambda key, text: hmac.digest(key, text, self.digest)
        stored = hashlib.new(self.digest, mac(self.salted, b"Client Key")).digest()
        key = bytes(a ^ b for a, b in zip(base64.b64decode(proof), mac(stored, said)))
        is_right = self.known and without_proof == f"c=biws,r={self.nonce}"
        is_right = is_right and hashlib.new(self.digest, key).digest() == stored
        return b"v=" + base64.b64encode(mac(mac(self.salted, b"Server Key"), said)), is_right


def send(writer, number, body):
    writer.write(struct.pack(">ii", len(body) + 4, number) + body)


async def frame(reader):
    return await reader.readexactly(struct.unpack(">i", await reader.readexactly(4))[0])


async def pipe(reader, writer):
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


class Cluster:
    def __init__(self, brokers):
        error = ctypes.create_string_buffer(512)
        self.client = lib.rd_kafka_new(0, lib.rd_kafka_conf_new(), error, len(error))
        self.cluster = lib.rd_kafka_mock_cluster_new(self.client, brokers)
        self.brokers = lib.rd_kafka_mock_cluster_bootstraps(self.cluster).decode().split(",")
        self.client_settings = {}

    def topic(self, name, partitions):
        return lib.rd_kafka_mock_topic_create(self.cluster, name.encode(), partitions, len(self.brokers))

    def leader(self, topic, partition, broker):
        return lib.rd_kafka_mock_partition_set_leader(self.cluster, topic.encode(), partition, broker)

    def down(self, broker):
        return lib.rd_kafka_mock_broker_set_down(self.cluster, broker)

    def up(self, broker):
        return lib.rd_kafka_mock_broker_set_up(self.cluster, broker)

    def errors(self, api, codes):
        lib.rd_kafka_mock_push_request_errors_array(self.cluster, api, len(codes), (I * len(codes))(*codes))

    def front(self, certificate, key, ca, mechanisms, user, password):
        """Puts a front before each broker, and lets the brokers give its address as theirs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, daemon=True).start()
        fronts = []
        for number, broker in enumerate(self.brokers, 1):
            host, port = broker.split(":")
            front = Front((host, int(port)), context, mechanisms, user, password)
            own = asyncio.run_coroutine_threadsafe(front.start(), loop).result()
            assert lib.rd_kafka_mock_broker_set_host_port(self.cluster, number, b"localhost", own) == 0
            fronts.append(f"localhost:{own}")
        self.brokers = fronts
        self.client_settings = {
            "security.protocol": "SASL_SSL", "ssl.ca.location": ca, "sasl.mechanism": mechanisms[-1],
            "sasl.username": user, "sasl.password": password,
        }

    def read(self, topic, partitions, count, wait_s):
        """The first `count` messages of a topic, or those that come within the time, as librdkafka reads them."""
        consumer = confluent_kafka.Consumer({
            "bootstrap.servers": ",".join(self.brokers), "group.id": "reader", "enable.auto.commit": False,
            "check.crcs": True, "allow.auto.create.topics": False, **self.client_settings,
        })
        consumer.assign([confluent_kafka.TopicPartition(topic, it, 0) for it in range(partitions)])
        messages, rounds = [], int(wait_s * 10)
        while len(messages) < count and rounds > 0:
            rounds -= 1
            for message in consumer.consume(10_000, 0.1):
                assert message.error() is None, message.error()
                headers = {name: value.decode() for name, value in message.headers()}
                messages.append({
                    "partition": message.partition(), "offset": message.offset(), "key": message.key().decode(),
                    "value": message.value().decode(), "at_ms": message.timestamp()[1], "headers": headers,
                })
        consumer.close()
        return messages


def main():
    cluster = Cluster(int(sys.argv[1]))
    for line in sys.stdin:
        asked = json.loads(line)
        answer = getattr(cluster, asked.pop("do"))(**asked)
        print(json.dumps({"answer": answer, "brokers": cluster.brokers}), flush=True)
    # The library waits for its threads at exit; nobody here waits for it.
    os._exit(0)


main()
