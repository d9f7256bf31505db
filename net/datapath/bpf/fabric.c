// SPDX-License-Identifier: Apache-2.0
// fabric.c is the satellite's switch: three programs for the ingress of its ports. One file, no loops but the flood's,
// no state but the maps below, which outlive the engine.
//
//	fabric_in  a NIC with a cable to somewhere        control → engine, data → forward
//	vm_in      a tap with a guest behind it           data of the guest's own address → forward
//	host_in    the inner end of the host port's pair  as vm_in, for the satellite's own stack
//
// forward: group address → flood; local address → its port; learned address → its port; else → flood, but to the
// fabric only, because what lives behind a VM's or the host's port is known.
//
// The frame is never parsed beyond its two addresses and the EtherType, so every stack of tags passes unchanged.

#include "kern.h"

#define MAX_PORTS 256
#define MAX_LOCAL 1024
#define MAX_LEARNED 32768
#define NS_PER_S 1000000000ULL
#define MAX_FRAME 1526     // header, payload and three tags
#define MAX_SEGMENT 1500   // payload of one segment of a merged frame
#define GSO_BY_FRAGS 65535 // the kernel's own: segments as the sender cut them (SCTP). No guest can claim it.
#define AGE_S 300 // IEEE 802.1Q-2018 table 8-6: ageing time of a dynamic entry

// The control frames of net/frame; a Go test holds both to the same numbers.
#define CONTROL_TYPE 0x88B5
#define CONTROL_VERSION 1
#define ECHO_REQUEST 3
#define ECHO_REPLY 4

enum kind { KIND_NONE, KIND_FABRIC, KIND_VM, KIND_HOST };

// A port of the switch, at its slot. Eight bytes, so that an update is one store: a program sees the old or the new one.
struct port {
	__u32 ifindex; // 0: the slot is free
	__u8 kind;
	__u8 open;        // data may come in and go out
	__u16 generation; // learned addresses of another generation are forgotten
};

// Where a device is plugged in. mac is what a VM or the host must send from; a fabric port's own.
struct place {
	__u32 slot;
	__u8 mac[6];
	__u8 zero[2];
};

// Where an address was last seen.
struct sighting {
	__u32 slot;
	__u32 generation;
	__u64 seconds; // since boot
};

// An Ethernet header, and the first two bytes of a control frame.
struct header {
	__u8 dst[6];
	__u8 src[6];
	__u16 type;
	__u8 version;
	__u8 kind;
};

// What became of a frame, counted at the port it came in by; TX at the port it left by. A buffer that the NIC or the kernel
// merged from several frames (GRO) counts once.
enum verdict {
	RX,
	RX_BYTES,
	TX,
	TX_BYTES,
	CONTROL,       // handed to the engine
	REFLECTED,     // echo answered here
	DROP_CLOSED,   // came in by a closed port
	DROP_OUT,      // destination's port is closed or gone
	DROP_SOURCE,   // source is a group address or none at all
	DROP_SPOOF,    // source is not the VM's own
	DROP_LOCAL,    // source lives here, yet the frame came from the fabric
	DROP_RESERVED, // link-constrained group address (IEEE 802.1Q 8.6.3), or a control frame from a VM or the host
	DROP_HAIRPIN,  // destination is where it came from
	DROP_NOWHERE,  // nobody to flood to
	DROP_BIG,      // longer than a cable carries; NICs hang on such
	VERDICTS = 16,
};

struct counts {
	__u64 n[VERDICTS];
};

struct {
	__uint(type, MAP_HASH);
	__uint(max_entries, MAX_PORTS);
	__type(key, __u32); // ifindex
	__type(value, struct place);
} places SEC(".maps");

struct {
	__uint(type, MAP_ARRAY);
	__uint(max_entries, MAX_PORTS);
	__type(key, __u32); // slot
	__type(value, struct port);
} ports SEC(".maps");

struct {
	__uint(type, MAP_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32); // no slot from here on is in use
} used SEC(".maps");

struct {
	__uint(type, MAP_HASH);
	__uint(max_entries, MAX_LOCAL);
	__type(key, __u64);   // address, zero padded
	__type(value, __u32); // slot
} local SEC(".maps");

struct {
	__uint(type, MAP_LRU_HASH);
	__uint(max_entries, MAX_LEARNED);
	__type(key, __u64); // address, zero padded
	__type(value, struct sighting);
} learned SEC(".maps");

struct {
	__uint(type, MAP_PERCPU_ARRAY);
	__uint(max_entries, MAX_PORTS);
	__type(key, __u32); // slot
	__type(value, struct counts);
} counters SEC(".maps");

union word {
	__u64 whole;
	struct port port;
};

// One load, so that a gate and its generation belong together.
INLINE int look(__u32 slot, struct port *p)
{
	volatile __u64 *at = bpf_map_lookup_elem(&ports, &slot);
	if (!at)
		return 0;
	union word w = {.whole = *at};
	*p = w.port;
	return 1;
}

INLINE __u64 address(const __u8 *mac)
{
	__u64 key = 0;
	__builtin_memcpy(&key, mac, 6);
	return key;
}

INLINE int group(const __u8 *mac)
{
	return mac[0] & 1;
}

// 01-80-C2-00-00-0x never crosses a bridge.
INLINE int link_constrained(const __u8 *mac)
{
	return mac[0] == 0x01 && mac[1] == 0x80 && mac[2] == 0xC2 && mac[3] == 0 && mac[4] == 0 && mac[5] < 0x10;
}

INLINE void count(__u32 slot, __u32 verdict, __u64 by)
{
	struct counts *c = bpf_map_lookup_elem(&counters, &slot);
	if (c)
		c->n[verdict] += by; // per CPU, and ingress does not nest on one
}

INLINE int drop(__u32 slot, __u32 verdict)
{
	count(slot, verdict, 1);
	return TCX_DROP;
}

struct flood {
	struct __sk_buff *skb;
	__u32 from;    // slot, skipped
	__u32 local;   // also to VMs and the host
	__u32 ifindex; // found, not yet sent; 0 is none
	__u32 slot;    // its slot
};

// Each port found sends the frame to the one found before, so that the last one can take the frame itself.
static long flood_step(__u32 slot, struct flood *f)
{
	struct port p;
	if (!look(slot, &p) || slot == f->from || !p.open || !p.ifindex)
		return 0;
	if (p.kind != KIND_FABRIC && !f->local)
		return 0;
	if (f->ifindex) {
		bpf_clone_redirect(f->skb, f->ifindex, 0);
		count(f->slot, TX, 1);
		count(f->slot, TX_BYTES, f->skb->len);
	}
	f->ifindex = p.ifindex;
	f->slot = slot;
	return 0;
}

INLINE int flood(struct __sk_buff *skb, __u32 from, __u32 to_local)
{
	__u32 zero = 0;
	__u32 *n = bpf_map_lookup_elem(&used, &zero);
	if (!n)
		return TCX_DROP;
	// 0, but the verifier must not know: Linux 6.1's follows a callback once only, takes what it finds in f then for what is
	// there at every step, and cuts off the branch that sends.
	__u32 slots = *n;
	__u32 none = slots / (MAX_PORTS + 1);
	struct flood f = {.skb = skb, .from = from, .local = to_local, .ifindex = none, .slot = none};
	bpf_loop(slots < MAX_PORTS ? slots : MAX_PORTS, flood_step, &f, 0);
	if (!f.ifindex)
		return drop(from, DROP_NOWHERE);
	count(f.slot, TX, 1);
	count(f.slot, TX_BYTES, skb->len);
	return bpf_redirect(f.ifindex, 0);
}

INLINE int deliver(struct __sk_buff *skb, __u32 from, __u32 to, const struct port *p)
{
	if (to == from)
		return drop(from, DROP_HAIRPIN);
	if (!p->open || !p->ifindex)
		return drop(from, DROP_OUT);
	count(to, TX, 1);
	count(to, TX_BYTES, skb->len);
	return bpf_redirect(p->ifindex, 0);
}

INLINE int forward(struct __sk_buff *skb, __u32 from, const struct header *h)
{
	if (skb->gso_size ? skb->gso_size > MAX_SEGMENT && skb->gso_size != GSO_BY_FRAGS : skb->len > MAX_FRAME)
		return drop(from, DROP_BIG);
	if (group(h->dst))
		return flood(skb, from, 1);
	struct port p;
	__u64 dst = address(h->dst);
	__u32 *home = bpf_map_lookup_elem(&local, &dst);
	if (home) {
		__u32 to = *home;
		if (!look(to, &p))
			return drop(from, DROP_OUT);
		return deliver(skb, from, to, &p);
	}
	struct sighting *s = bpf_map_lookup_elem(&learned, &dst);
	if (s && bpf_ktime_get_ns() / NS_PER_S - s->seconds < AGE_S) {
		__u32 to = s->slot;
		if (look(to, &p) && p.open && p.kind == KIND_FABRIC && p.generation == s->generation)
			return deliver(skb, from, to, &p);
	}
	return flood(skb, from, 0);
}

// Remember by which port an address comes in. Written at most once a second while nothing changes.
INLINE void learn(__u64 src, __u32 slot, __u16 generation)
{
	__u64 now = bpf_ktime_get_ns() / NS_PER_S;
	struct sighting *s = bpf_map_lookup_elem(&learned, &src);
	if (s && s->slot == slot && s->generation == generation) {
		if (s->seconds != now)
			s->seconds = now;
		return;
	}
	struct sighting fresh = {.slot = slot, .generation = generation, .seconds = now};
	bpf_map_update_elem(&learned, &src, &fresh, 0);
}

// 01-80-C2-00-00-0E, to which control frames of nobody in particular go: whoever hears it there is at the cable's other end.
INLINE int nearest(const __u8 *mac)
{
	return link_constrained(mac) && mac[5] == 0x0E;
}

// Answer an echo request: back to whom it came from, from this port's own address. It tells the neighbour that the data path
// lives, whether or not the engine does, so it does not ask the gate.
INLINE int reflect(struct __sk_buff *skb, __u32 slot, const struct header *h, const struct place *at)
{
	__u8 addresses[12];
	__u8 kind = ECHO_REPLY;
	__builtin_memcpy(addresses, h->src, 6);
	__builtin_memcpy(addresses + 6, at->mac, 6);
	__u32 ifindex = skb->ifindex;
	if (bpf_skb_store_bytes(skb, 0, addresses, sizeof(addresses), 0) ||
	    bpf_skb_store_bytes(skb, __builtin_offsetof(struct header, kind), &kind, 1, 0))
		return TCX_DROP;
	count(slot, REFLECTED, 1);
	return bpf_redirect(ifindex, 0);
}

INLINE int control(struct __sk_buff *skb, __u32 slot, struct header *h, const struct place *at)
{
	if (bpf_skb_load_bytes(skb, 0, h, sizeof(*h)))
		return drop(slot, DROP_SOURCE);
	int ours = address(h->dst) == address(at->mac) || nearest(h->dst);
	if (h->version == CONTROL_VERSION && h->kind == ECHO_REQUEST && ours && !group(h->src) && address(h->src))
		return reflect(skb, slot, h, at);
	count(slot, CONTROL, 1);
	return TCX_NEXT;
}

// With or without a tag, which a NIC or the kernel has put aside.
INLINE int is_control(const struct header *h)
{
	return h->type == __builtin_bswap16(CONTROL_TYPE);
}

INLINE int is_reserved(struct __sk_buff *skb, const struct header *h)
{
	return !skb->vlan_present && link_constrained(h->dst);
}

SEC("tc/fabric")
int fabric_in(struct __sk_buff *skb)
{
	struct header h = {};
	__u32 ifindex = skb->ifindex;
	struct place *at = bpf_map_lookup_elem(&places, &ifindex);
	if (!at)
		return TCX_DROP;
	__u32 slot = at->slot;
	struct port p;
	if (!look(slot, &p) || bpf_skb_load_bytes(skb, 0, &h, 14))
		return TCX_DROP;
	count(slot, RX, 1);
	count(slot, RX_BYTES, skb->len);
	if (is_control(&h)) // satellites do not tag; someone else's priority tag must not carry it past us
		return skb->vlan_present ? drop(slot, DROP_RESERVED) : control(skb, slot, &h, at);
	if (!p.open)
		return drop(slot, DROP_CLOSED);
	if (is_reserved(skb, &h))
		return drop(slot, DROP_RESERVED);
	__u64 src = address(h.src);
	if (group(h.src) || !src)
		return drop(slot, DROP_SOURCE);
	if (bpf_map_lookup_elem(&local, &src))
		return drop(slot, DROP_LOCAL);
	learn(src, slot, p.generation);
	return forward(skb, slot, &h);
}

INLINE int edge_in(struct __sk_buff *skb)
{
	struct header h = {};
	__u32 ifindex = skb->ifindex;
	struct place *at = bpf_map_lookup_elem(&places, &ifindex);
	if (!at)
		return TCX_DROP;
	__u32 slot = at->slot;
	struct port p;
	if (!look(slot, &p) || bpf_skb_load_bytes(skb, 0, &h, 14))
		return TCX_DROP;
	count(slot, RX, 1);
	count(slot, RX_BYTES, skb->len);
	if (!p.open)
		return drop(slot, DROP_CLOSED);
	if (address(h.src) != address(at->mac))
		return drop(slot, DROP_SPOOF);
	if (is_control(&h) || is_reserved(skb, &h))
		return drop(slot, DROP_RESERVED);
	return forward(skb, slot, &h);
}

SEC("tc/vm")
int vm_in(struct __sk_buff *skb)
{
	return edge_in(skb);
}

SEC("tc/host")
int host_in(struct __sk_buff *skb)
{
	return edge_in(skb);
}

char terms[] SEC("license") = "Apache-2.0";
