package rpc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"decenter/engine/api"
)

// TestTheLargestHonestRepliesPass: bounds that are too tight would hide VMs of a large satellite.
func TestTheLargestHonestRepliesPass(t *testing.T) {
	name := strings.Repeat("n", api.MaxName)
	var found api.SearchReply
	for n := range api.MaxItems {
		vm := &api.VM{ID: "c9b5a0a2-8d4f-4e0b-9f53-0123456789ab", Name: name, State: api.StateRunning, Satellite: name, From: name,
			Owner: "bc1p" + strings.Repeat("q", 58), CPU: 1024, Memory: 1 << 43, Accel: "kvm", Created: time.Now(), CPUTime: 1 << 60, Agent: true,
			Disks: []api.Disk{{Name: "vda", Size: 1 << 40, Allocated: 1 << 40}, {Name: "vdb", Size: 1 << 40, Allocated: 1 << 40}}}
		for range 2 {
			vm.NICs = append(vm.NICs, api.NIC{MAC: "02:00:a1:b2:c3:d4", Addresses: []string{"10.255.255.255", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff",
				"fe80::aaaa:bbbb:cccc:dddd", fmt.Sprint("10.0.0.", n%256)}})
		}
		found.Items = append(found.Items, api.Item{Kind: api.KindVM, Name: name, State: "running", Satellite: name, VM: vm})
	}
	var trust api.TrustReply
	until := time.Now()
	for range api.MaxStatements {
		trust.Statements = append(trust.Statements, api.Statement{Kind: api.StatementDelegate, Account: name, Key: name, Scope: api.ScopeOperate,
			Role: api.RoleOperator, Grantee: name, Object: name, Time: until, Until: &until, Signed: api.Signed{Line: strings.Repeat("l", 240), Signature: strings.Repeat("s", 148)}})
	}
	for what, v := range map[string]any{"search": found, "trust": trust} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > MaxMessage*9/10 || (maxReply*2/3).check(b) != nil {
			t.Errorf("%s: %d of %d bytes; within two thirds of %d parts: %v", what, len(b), MaxMessage, maxReply, (maxReply * 2 / 3).check(b))
		}
		t.Logf("%s: %.1f of %d MiB", what, float64(len(b))/(1<<20), MaxMessage>>20)
	}
}

// TestASmallReplyDoesNotFillTheMemory: each of the worst is tried with the bound, and without.
func TestASmallReplyDoesNotFillTheMemory(t *testing.T) {
	// A few more parts than are allowed: what fits into MaxMessage would be up to 17 times as many.
	fill := func(before, each, after string, parts budget) []byte {
		n := int(maxReply/parts) + 1
		return []byte(before + strings.Repeat(each+",", n-1) + each + after)
	}
	for _, c := range []struct {
		name string
		b    []byte
		into func() any
	}{
		{"empty items", fill(`{"items":[`, `{}`, `]}`, 2), func() any { return new(api.SearchReply) }},
		{"items that are nothing", fill(`{"items":[`, `null`, `]}`, 1), func() any { return new(api.SearchReply) }},
		{"items of empty things", fill(`{"items":[`, `{"vm":{},"node":{},"job":{}}`, `]}`, 5), func() any { return new(api.SearchReply) }},
		{"empty jobs", fill(`{"jobs":[`, `{}`, `]}`, 2), func() any { return new(api.JobsReply) }},
		{"empty statements", fill(`{"statements":[`, `{}`, `]}`, 2), func() any { return new(api.TrustReply) }},
	} {
		bounded, free := allocated(codec{maxReply}, c.b, c.into()), allocated(codec{1 << 40}, c.b, c.into())
		t.Logf("%s: %d bytes as JSON; %d rather than %d in memory", c.name, len(c.b), bounded, free)
		if bounded > 1<<20 || free < 20*uint64(len(c.b)) {
			t.Errorf("%s: %d bytes bounded, %d free", c.name, bounded, free)
		}
	}
	passes := []byte(`{"jobs":[` + strings.Repeat(`{},`, int(maxReply)/2-2) + `{}]}`)
	if n := allocated(codec{maxReply}, passes, new(api.JobsReply)); n > 200<<20 || n < 10<<20 {
		t.Errorf("the worst that passes takes %d bytes", n)
	} else {
		t.Logf("the worst that passes: %d MiB, of garbage included", n>>20)
	}
	asked := fill(`{"filters":[`, `{}`, `]}`, 2)[:MaxRequest]
	if err := (codec{maxAsked}).Unmarshal(asked, new(api.Query)); err == nil {
		t.Error("a request of as many parts was decoded")
	}
	if err := (codec{maxReply}).Unmarshal([]byte(strings.Repeat("[", 100_000)), new(api.Query)); err == nil {
		t.Error("a deep one was decoded")
	}
}

func allocated(c codec, b []byte, into any) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_ = c.Unmarshal(b, into)
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// FuzzBudget compares the count with one of the standard library's decoder: no JSON has more parts than are counted.
func FuzzBudget(f *testing.F) {
	for _, s := range []string{`{"a":[1,2,{"b":null}],"c":"[,{\"\\"}`, `[[],[[]]]`, `"\\","`, `{`, `]]]]`, `[1,{"x":[{},{}]},"a,b"]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !json.Valid(b) {
			_ = maxAsked.check(b) // it must only end
			return
		}
		objects, elements, deep := oracle(b)
		got := func(most budget) bool { return most.check(b) == nil }
		if deep > maxDepth {
			if got(1 << 40) {
				t.Fatalf("%d deep passes", deep)
			}
			return
		}
		// What is counted: each object and array, and each element but an array's first.
		if got(budget(objects+elements) - 1) {
			t.Fatalf("%d objects and %d elements pass", objects, elements)
		}
		if !got(budget(2*(objects+elements) + 2)) {
			t.Fatalf("%d objects and %d elements do not pass", objects, elements)
		}
	})
}

// oracle counts objects, array elements that are not objects, and how deep they go.
func oracle(b []byte) (objects, elements, deep int) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return 0, 0, 0
	}
	var walk func(v any, depth int)
	walk = func(v any, depth int) {
		switch x := v.(type) {
		case map[string]any:
			objects++
			deep = max(deep, depth)
			for _, y := range x {
				walk(y, depth+1)
			}
		case []any:
			deep = max(deep, depth)
			elements += max(0, len(x)-1)
			objects++
			for _, y := range x {
				walk(y, depth+1)
			}
		}
	}
	walk(v, 1)
	return objects, elements, deep
}
