package statement_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	. "decenter/keys/statement"

	"decenter/keys"
)

// few draws statements from so few words that many share a slot, a time, or both.
func few(t *testing.T) *rapid.Generator[Statement] {
	accounts := []keys.Address{account(t, 1), account(t, 2), account(t, 3)}
	return rapid.Custom(func(t *rapid.T) Statement {
		a := rapid.IntRange(0, 2).Draw(t, "account")
		at := noon.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "time")) * time.Second)
		key := keys.Fingerprint{byte(rapid.IntRange(1, 2).Draw(t, "key"))}
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			until := at.Add(time.Duration(rapid.IntRange(1, 2).Draw(t, "until")) * time.Hour)
			return Delegation{accounts[a], key, rapid.SampledFrom([]Scope{Read, Operate, All}).Draw(t, "scope"), at, until, Voucher{}}
		case 1:
			return Revocation{accounts[a], key, at}
		case 2:
			return Membership{accounts[a], "lab", key, rapid.Bool().Draw(t, "admit"), at}
		}
		to := accounts[(a+1)%3]
		return Grant{accounts[a], "lab", rapid.SampledFrom([]Role{None, Reader, Operator, Owner}).Draw(t, "role"), to, ObjectAll, at}
	})
}

// merge gives what holds of some statements, by slot.
func merge(replaces func(a, b Statement) bool, parts ...[]Statement) map[string]Statement {
	holds := map[string]Statement{}
	for _, s := range slices.Concat(parts...) {
		if old, had := holds[s.Slot()]; !had || replaces(s, old) {
			holds[s.Slot()] = s
		}
	}
	return holds
}

func values(m map[string]Statement) []Statement { return slices.Collect(maps.Values(m)) }

func TestReplacesIsAStrictTotalOrder(t *testing.T) {
	gen := few(t)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := gen.Draw(t, "a"), gen.Draw(t, "b"), gen.Draw(t, "c")
		if Replaces(a, a) {
			t.Fatalf("%s replaces itself", Line(a))
		}
		if a.Slot() != b.Slot() {
			return
		}
		if Line(a) != Line(b) && Replaces(a, b) == Replaces(b, a) {
			t.Fatalf("neither or both hold:\n%s\n%s", Line(a), Line(b))
		}
		if b.Slot() == c.Slot() && Replaces(a, b) && Replaces(b, c) && !Replaces(a, c) {
			t.Fatalf("a circle:\n%s\n%s\n%s", Line(a), Line(b), Line(c))
		}
	})
}

func TestOrderAndRepetitionChangeNothing(t *testing.T) {
	gen := rapid.SliceOfN(few(t), 0, 40)
	rapid.Check(t, func(t *rapid.T) {
		x, y, z := gen.Draw(t, "x"), gen.Draw(t, "y"), gen.Draw(t, "z")
		all := merge(Replaces, x, y, z)
		for name, other := range map[string]map[string]Statement{
			"commutative": merge(Replaces, z, y, x),
			"associative": merge(Replaces, values(merge(Replaces, x, y)), z),
			"the other":   merge(Replaces, x, values(merge(Replaces, y, z))),
			"idempotent":  merge(Replaces, x, y, z, x, values(merge(Replaces, x, y, z))),
		} {
			if !maps.Equal(all, other) {
				t.Fatalf("merging is not %s: %v and %v", name, all, other)
			}
		}
	})
}

// Negative control: were the time alone to decide, two satellites would differ for good.
func TestTimeAloneWouldNotDo(t *testing.T) {
	byTime := func(a, b Statement) bool { return a.When().After(b.When()) }
	admit := Membership{account(t, 1), "lab", laptop, true, noon}
	eject := Membership{account(t, 2), "lab", laptop, false, noon}
	one, two := []Statement{admit, eject}, []Statement{eject, admit}
	if maps.Equal(merge(byTime, one), merge(byTime, two)) {
		t.Error("the control finds no difference: the tests above show nothing")
	}
	for _, order := range [][]Statement{one, two} {
		if got := merge(Replaces, order)[admit.Slot()]; got != eject {
			t.Errorf("got %v, want the ejection", got)
		}
	}
}

func TestALaterWordTakesAnEarlierOneBack(t *testing.T) {
	a, b := account(t, 1), account(t, 2)
	given := Grant{a, "lab", Owner, b, ObjectAll, noon}
	taken := Grant{a, "lab", None, b, ObjectAll, noon.Add(time.Second)}
	again := Grant{a, "lab", Reader, b, ObjectAll, noon.Add(2 * time.Second)}
	all := []Statement{given, taken, again, given} // the first is replayed
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if got := merge(Replaces, all)[given.Slot()]; got != again {
		t.Errorf("%v holds", got)
	}
}
