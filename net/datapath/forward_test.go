package datapath

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"decenter/net/link/rig"
)

const (
	benchRounds = 5
	benchTime   = time.Second // of one measurement
	benchPort   = "4711"
)

// A chain is two hosts with switches between, each in a namespace of its own, joined by veth pairs.
type chain struct {
	switches int
	bridge   bool // the kernel's, beside which ours is measured
	from, to rig.NS
	mbps     []float64
}

func (c *chain) build(b *testing.B) {
	kind := map[bool]string{true: "br", false: "dp"}[c.bridge]
	ns := make([]rig.NS, c.switches+2)
	for i := range ns {
		ns[i] = rig.Namespace(b, fmt.Sprintf("dcdp-%s%d-%d", kind, c.switches, i))
	}
	for i := range ns[1:] {
		rig.Cable(b, ns[i], "e", ns[i+1], "w")
	}
	c.from, c.to = ns[0], ns[len(ns)-1]
	rig.IP(b, "-n", string(c.from), "addr", "add", "192.0.2.1/24", "dev", "e")
	rig.IP(b, "-n", string(c.to), "addr", "add", "192.0.2.2/24", "dev", "w")
	for _, sw := range ns[1 : len(ns)-1] {
		if c.bridge {
			rig.IP(b, "-n", string(sw), "link", "add", "bridge0", "type", "bridge")
			rig.IP(b, "-n", string(sw), "link", "set", "bridge0", "up")
			rig.IP(b, "-n", string(sw), "link", "set", "e", "master", "bridge0")
			rig.IP(b, "-n", string(sw), "link", "set", "w", "master", "bridge0")
			continue
		}
		dir := rig.BPF(string(sw))
		sw.Do(b, func() error {
			dp, err := Open(dir, slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			b.Cleanup(func() { dp.Close(); _ = Uninstall(dir) })
			return plugCables(dp, "e", "w")
		})
	}
}

// measure sends over one TCP connection from end to end.
func (c *chain) measure(b *testing.B) {
	var server net.Listener
	c.to.Do(b, func() (err error) { server, err = net.Listen("tcp4", "192.0.2.2:"+benchPort); return err })
	defer server.Close()
	got := make(chan int64, 1)
	go func() {
		defer close(got)
		if conn, err := server.Accept(); err == nil {
			defer conn.Close()
			n, _ := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{conn}, make([]byte, 1<<18))
			got <- n
		}
	}()
	var conn net.Conn
	c.from.Do(b, func() (err error) {
		conn, err = net.DialTimeout("tcp4", "192.0.2.2:"+benchPort, 5*time.Second)
		return err
	})
	start := time.Now()
	err := conn.SetDeadline(start.Add(benchTime))
	for buf := make([]byte, 1<<18); err == nil; {
		_, err = conn.Write(buf)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		b.Fatal(err)
	}
	conn.Close()
	n := <-got
	c.mbps = append(c.mbps, float64(n)*8/1e6/time.Since(start).Seconds())
}

// BenchmarkForward measures one TCP connection through one and three satellites' data paths, and in the same run, by
// turns, through as many bridges of the kernel. It prints medians as a line of JSON each, and asserts nothing: one
// machine's figures say nothing about another's.
func BenchmarkForward(b *testing.B) {
	rig.Need(b)
	for _, switches := range []int{1, 3} {
		b.Run(fmt.Sprintf("switches=%d", switches), func(b *testing.B) {
			ours, bridge := &chain{switches: switches}, &chain{switches: switches, bridge: true}
			ours.build(b)
			bridge.build(b)
			for b.Loop() {
				for range benchRounds {
					ours.measure(b)
					bridge.measure(b)
				}
			}
			report(b, switches, median(ours.mbps), median(bridge.mbps))
		})
	}
}

func report(b *testing.B, switches int, ours, bridge float64) {
	b.ReportMetric(ours, "Mbit/s")
	b.ReportMetric(ours/bridge, "of-bridge")
	line, err := json.Marshal(map[string]any{"bench": "forwarding", "switches": switches, "rounds": benchRounds,
		"decenter_mbps": int(ours), "bridge_mbps": int(bridge), "ratio": float64(int(ours/bridge*1000)) / 1000})
	if err != nil {
		b.Fatal(err)
	}
	fmt.Printf("\n%s\n", line)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
