package datapath

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// Counters is what a port did since it was attached. Frames that the NIC or the kernel merged (GRO) count as one. Drops
// count at the port that the frame came in by.
type Counters struct {
	RX, RXBytes uint64
	TX, TXBytes uint64

	Control   uint64 // handed to the engine
	Reflected uint64 // echo requests answered here

	DropClosed   uint64 // came in while the gate was shut
	DropOut      uint64 // the destination's port is shut or gone
	DropSource   uint64 // source is a group address or none
	DropSpoof    uint64 // source is not the VM's, or the host's, own
	DropLocal    uint64 // source lives here, yet the frame came from the fabric
	DropReserved uint64 // link-constrained destination, or a control frame from a VM or the host
	DropHairpin  uint64 // destination is where it came from
	DropNowhere  uint64 // no open port to flood to
	DropBig      uint64 // longer than any cable carries
}

// Dropped is the sum of all drops.
func (c Counters) Dropped() uint64 {
	return c.DropClosed + c.DropOut + c.DropSource + c.DropSpoof + c.DropLocal + c.DropReserved + c.DropHairpin + c.DropNowhere + c.DropBig
}

// Counters reads a port's counters, summed over the CPUs.
func (d *Datapath) Counters(ifindex uint32) (Counters, error) {
	e, there := d.ports[ifindex]
	if !there {
		return Counters{}, fmt.Errorf("counters of port %d: %w", ifindex, ErrUnknownPort)
	}
	var per []counts
	if err := d.maps["counters"].Lookup(e.slot, &per); err != nil {
		return Counters{}, fmt.Errorf("counters of port %d: %w", ifindex, err)
	}
	var n counts
	for _, cpu := range per {
		for i, v := range cpu {
			n[i] += v
		}
	}
	return Counters{RX: n[0], RXBytes: n[1], TX: n[2], TXBytes: n[3], Control: n[4], Reflected: n[5], DropClosed: n[6],
		DropOut: n[7], DropSource: n[8], DropSpoof: n[9], DropLocal: n[10], DropReserved: n[11], DropHairpin: n[12],
		DropNowhere: n[13], DropBig: n[14]}, nil
}

func (d *Datapath) clearCounters(slot uint32) error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return err
	}
	return d.maps["counters"].Put(slot, make([]counts, cpus))
}
