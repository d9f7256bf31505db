package tree

import (
	"fmt"
	"os"
	"strconv"
	"testing"
)

func TestDebug(t *testing.T) {
	s, _ := strconv.ParseUint(os.Getenv("SEED"), 10, 64)
	if s == 0 {
		t.Skip("no SEED")
	}
	w, err := schedule(s, false)
	fmt.Println(err)
	for _, l := range w.log {
		fmt.Println(l)
	}
	for _, n := range w.nodes {
		if n.core == nil {
			fmt.Println(n.id, "dead")
			continue
		}
		fmt.Printf("%v frozen=%v vec=%v want=%v resume=%v cnt=%+v lastMoved=%v\n", n.id, n.frozen, n.core.vec, n.core.want, n.core.resumeBy, n.core.counters, n.lastMoved)
		for _, id := range n.core.order {
			p := n.core.ports[id]
			fmt.Printf("   %d up=%v peer=%v two=%v alive=%v gate=%d claim=%v heard=%v seen=%d consent=%d granted=%d bound=%v kernel=%v silent=%v\n", id, p.link.Up, p.peer.ID, p.twoWay, p.echo.alive, p.gate, p.claim, p.heard, p.seen, p.consent, p.granted, p.bound, n.gates[id], p.silent)
		}
	}
	fmt.Println(w.spans(), w.now)
}
