package trust

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"decenter/engine/api"
	"decenter/engine/authz"
	"decenter/keys"
	"decenter/keys/statement"
)

var crowd = []keys.Address{ann, bob, eve, dan, who(5)}

// anything draws statements of few accounts, objects and times, so that many bear on each other.
func anything() *rapid.Generator[statement.Statement] {
	return rapid.Custom(func(t *rapid.T) statement.Statement {
		n := rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2, 2, 3, 4}).Draw(t, "signer")
		by, second := crowd[n], rapid.IntRange(0, 4).Draw(t, "second")
		id := rapid.SampledFrom([]keys.Fingerprint{saturn, titan, self}).Draw(t, "id")
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return admit(by, id, second)
		case 1:
			return eject(by, id, second)
		case 2:
			return revoke(by, rapid.SampledFrom([]keys.Fingerprint{laptop, everyKey}).Draw(t, "key"), second)
		}
		to := crowd[(n+rapid.IntRange(1, len(crowd)-1).Draw(t, "to"))%len(crowd)]
		on := rapid.SampledFrom([]statement.Object{all, all, all, statement.ObjectArray, statement.ObjectVM(web)}).Draw(t, "object")
		roles := []statement.Role{statement.None, statement.Tenant, statement.Reader, statement.Operator, statement.Owner, statement.Owner}
		if on != all {
			roles = slices.DeleteFunc(roles, func(r statement.Role) bool { return r == statement.Tenant })
		}
		return grant(by, rapid.SampledFrom(roles).Draw(t, "role"), to, on, second)
	})
}

// answers is all that a view tells, as text.
func answers(v *View) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("digest %x owners %v member %v admitted %v", v.digest, v.Owners(), v.Member(), v.AdmittedIDs())
	for _, id := range []keys.Fingerprint{saturn, titan, self} {
		word, is := v.Admission(id)
		p("%v ejected %v admission %v %v", id[0], v.Ejected(id), is, word.Line)
	}
	for _, a := range crowd {
		text := a.String()
		p("%s owner %v tenant %v known %v", text, v.Owner(text), v.Tenant(text), v.Known(text))
		for _, owner := range crowd {
			p(" web of %s: %s", owner, v.Role(text, authz.Object{Kind: api.KindVM, ID: web, Owner: owner.String()}))
			p(" other of %s: %s", owner, v.Role(text, authz.Object{Kind: api.KindVM, ID: "x", Owner: owner.String()}))
		}
		for second := range 6 {
			r, is := v.Revoked(a, laptop, at(second))
			p(" laptop at %d: %v %v", second, is && v.Known(text), v.Known(text) && is && !r.At.IsZero())
		}
	}
	for _, s := range v.Statements() {
		p("%s", s.Signed.Line)
	}
	return b.String()
}

// oracle says slowly and plainly what must follow from statements that are all there at once: no sets, no standing.
type oracle struct{ all []statement.Statement }

// holds tells whether nobody's own later word on the subject replaces s.
func (o oracle) holds(s statement.Statement) bool {
	return !slices.ContainsFunc(o.all, func(x statement.Statement) bool {
		return x.Signer() == s.Signer() && x.Slot() == s.Slot() && statement.Replaces(x, s)
	})
}

// owner tells whether grants lead from Ann to the account, by looking for the way back to her.
func (o oracle) owner(a keys.Address, passed ...keys.Address) bool {
	if a == ann {
		return true
	}
	return slices.ContainsFunc(o.all, func(x statement.Statement) bool {
		g, is := x.(statement.Grant)
		return is && g.To == a && g.Object == all && g.Role == statement.Owner && o.holds(g) &&
			!slices.Contains(passed, g.Account) && o.owner(g.Account, append(slices.Clone(passed), a)...)
	})
}

func (o oracle) tenant(a keys.Address) bool {
	return o.owner(a) || slices.ContainsFunc(o.all, func(x statement.Statement) bool {
		g, is := x.(statement.Grant)
		return is && g.To == a && g.Object == all && o.holds(g) && o.owner(g.Account) &&
			(g.Role == statement.Tenant || g.Role == statement.Operator)
	})
}

func (o oracle) known(a keys.Address) bool {
	return o.tenant(a) || slices.ContainsFunc(o.all, func(x statement.Statement) bool {
		g, is := x.(statement.Grant)
		return is && g.To == a && g.Role != statement.None && o.holds(g) && (o.owner(g.Account) || g.Object != all && o.tenant(g.Account))
	})
}

// spread gives the lines that must be the same everywhere.
func (o oracle) spread() []string {
	var lines []string
	for _, x := range o.all {
		counts := false
		switch x := x.(type) {
		case statement.Membership:
			counts = o.owner(x.Account)
		case statement.Grant:
			counts = o.owner(x.Account) || x.Object != all && o.tenant(x.Account)
		case statement.Revocation:
			counts = o.known(x.Account)
		}
		if counts && o.holds(x) {
			lines = append(lines, statement.Line(x))
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// admitted tells what the owners' latest word on a satellite is.
func (o oracle) admitted(id keys.Fingerprint) bool {
	var last statement.Membership
	for _, x := range o.all {
		if m, is := x.(statement.Membership); is && m.Satellite == id && o.owner(m.Account) && (last.At.IsZero() || statement.Replaces(m, last)) {
			last = m
		}
	}
	return last.Admit || last.At.IsZero() && id == self
}

func lines(spread []statement.Signed) []string {
	var all []string
	for _, s := range spread {
		all = append(all, s.Line)
	}
	return all
}

// exchange lets every store hear every other until nothing changes, and tells how many rounds that took.
func exchange(t rapid.TB, stores []*Store) int {
	for round := range 20 {
		changed := 0
		for _, to := range stores {
			for _, from := range stores {
				if from.Digest() != to.Digest() {
					n, _ := to.Merge(from.Spread())
					changed += n
				}
			}
		}
		if changed == 0 {
			return round
		}
	}
	t.Fatalf("the stores never come to rest")
	return 0
}

// Three satellites get the same statements, each in its own order, in pieces, and some twice. Then they exchange.
func TestThreeSatellitesEndWithTheSame(t *testing.T) {
	cfg, _ := lab(t)
	apart := 0
	rapid.Check(t, func(t *rapid.T) {
		made := rapid.SliceOfN(anything(), 10, 40).Draw(t, "statements")
		var batch []statement.Signed
		for _, s := range made {
			batch = append(batch, signed(s))
		}
		var stores []*Store
		for n := range 3 {
			s, err := Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			s.keep = func(*set) error { return nil }
			order := rapid.Permutation(slices.Concat(batch, batch[:len(batch)/2])).Draw(t, fmt.Sprintf("order %d", n))
			for len(order) > 0 {
				piece := rapid.IntRange(1, min(4, len(order))).Draw(t, "piece")
				s.Merge(order[:piece])
				order = order[piece:]
			}
			stores = append(stores, s)
		}
		if stores[0].Digest() != stores[1].Digest() {
			apart++
		}
		exchange(t, stores)
		for _, s := range stores[1:] {
			if got, want := answers(s.View()), answers(stores[0].View()); got != want || s.Digest() != stores[0].Digest() {
				t.Fatalf("two satellites differ:\n%s\n%s", got, want)
			}
		}

		// What every one of them refused comes again, as its maker declares it again: then all is as if all had been there at once.
		for range len(made) {
			if n, _ := stores[0].Merge(batch); n == 0 {
				break
			}
		}
		exchange(t, stores)
		for _, s := range stores {
			agrees(t, s, oracle{made})
		}
	})
	// Negative control: without the exchange they do differ, so there was something to see.
	if apart == 0 {
		t.Error("no order of delivery ever made two satellites differ: the test shows nothing")
	}
	t.Logf("before the exchange, the first two differed %d times", apart)
}

// agrees compares a store with what the oracle says.
func agrees(t rapid.TB, s *Store, o oracle) {
	if got, want := lines(s.Spread()), o.spread(); !slices.Equal(got, want) {
		t.Fatalf("spread is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	v := s.View()
	for _, a := range crowd {
		if v.Owner(a.String()) != o.owner(a) || v.Tenant(a.String()) != o.tenant(a) || v.Known(a.String()) != o.known(a) {
			t.Fatalf("%s is judged otherwise than by the oracle", a)
		}
	}
	for _, id := range []keys.Fingerprint{saturn, titan, self} {
		if v.Admitted(id) != o.admitted(id) {
			t.Fatalf("satellite %d: admitted %v", id[0], v.Admitted(id))
		}
	}
}

// Negative control of the place of a statement: were an owner's word to push out another's, as one slot for both would
// have it, two satellites would differ for good.
func TestOneSlotForAllOwnersWouldNotDo(t *testing.T) {
	story := []statement.Statement{admit(ann, saturn, 1), grant(ann, statement.Owner, eve, all, 1), eject(eve, saturn, 2), grant(ann, statement.None, eve, all, 3)}
	other := []statement.Statement{story[0], story[3], story[2], story[1]}
	naive := func(order []statement.Statement) bool {
		holds := map[string]statement.Statement{} // by slot alone
		for _, s := range order {
			o := oracle{append(slices.Collect(func(yield func(statement.Statement) bool) {
				for _, x := range holds {
					if !yield(x) {
						return
					}
				}
			}), s)}
			if old, had := holds[s.Slot()]; o.owner(s.Signer()) && (!had || statement.Replaces(s, old)) {
				holds[s.Slot()] = s
			}
		}
		m, is := holds[story[0].Slot()].(statement.Membership)
		return is && m.Admit && m.Account == ann
	}
	if naive(story) == naive(other) {
		t.Error("the control finds no difference")
	}
	cfg, _ := lab(t)
	for _, order := range [][]statement.Statement{story, other} {
		s := inMemory(t, cfg)
		for _, x := range order {
			_, _, _ = s.Declare(signed(x)) // some are refused in one of the orders
		}
		want(t, "admitted", s.View().Admitted(saturn), true)
	}
}

// A chain of grants in the worst order is taken by one Merge, as far as its rounds go, and the rest by the next.
func TestAChainInTheWorstOrderIsTaken(t *testing.T) {
	cfg, _ := lab(t)
	s := inMemory(t, cfg)
	const links = maxRounds + 5
	var batch []statement.Signed
	for n := range byte(links) {
		from := ann
		if n > 0 {
			from = who(10 + n - 1)
		}
		batch = append(batch, signed(grant(from, statement.Owner, who(10+n), all, 1)))
	}
	slices.Reverse(batch)
	n, refused := s.Merge(batch)
	want(t, "first", []int{n, len(refused)}, []int{maxRounds, links - maxRounds})
	n, refused = s.Merge(batch)
	want(t, "then", []int{n, len(refused)}, []int{links - maxRounds, 0})
	want(t, "owners", len(s.View().Owners()), links+1)
}
