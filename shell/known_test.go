package shell

import (
	"context"
	"strings"
	"testing"
	"time"

	"decenter/engine/api"
)

// becomes waits until the names of a kind are as wanted.
func becomes(t *testing.T, k *Known, kind api.Kind, want string) {
	t.Helper()
	for range 6000 {
		if strings.Join(k.Names(kind), " ") == want {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("the names are %v, want %s", k.Names(kind), want)
}

func TestKnownNamesFollowTheConstellation(t *testing.T) {
	ctx, c := world(t)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.AddVM(api.VM{Name: "web-1"})
	k := NewKnown(ctx, c)
	becomes(t, k, api.KindVM, "web-1")
	becomes(t, k, api.KindSpacesuit, "tiny")
	becomes(t, k, "*", "s1 s2 s3 tiny web-1")
	c.Hold()
	if code := Run(ctx, c, "create web-2 from:tiny detach:yes", Streams{Out: &screen{}, Err: &screen{}}, Options{}); code != api.ExitRunning {
		t.Fatalf("exit code %d", code)
	}
	becomes(t, k, api.KindVM, "web-1 web-2")
	reply, err := c.Jobs(ctx, api.JobsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	becomes(t, k, api.KindJob, reply.Jobs[0].ID)
	c.Release()
	becomes(t, k, api.KindJob, "")
	if s := NewLanguage(k.Names).Complete("start web-", 10); len(s) != 2 {
		t.Errorf("completion gives %+v", s)
	}
}

func TestKnownNamesComeBack(t *testing.T) {
	ctx, c := world(t)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.FailCall("Search", api.Errorf(api.CodeUnavailable, "not now"))
	k := NewKnown(ctx, c)
	time.Sleep(50 * time.Millisecond)
	c.FailCall("Search", nil)
	becomes(t, k, api.KindSpacesuit, "tiny")
}
