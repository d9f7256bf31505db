package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"

	"decenter/engine/api"
	"decenter/engine/api/apitest"
)

// overUnix serves a constellation in memory on a socket and gives it back as its client sees it.
func overUnix(t *testing.T) (*apitest.Constellation, *Client) {
	t.Helper()
	c := apitest.New()
	t.Cleanup(c.Close)
	path := filepath.Join(t.TempDir(), "engine.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(NewHandler(c))
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	client := DialUnix(path)
	t.Cleanup(client.Close)
	return c, client
}

func TestRequestsAndTheirErrorsTravelWhole(t *testing.T) {
	c, client := overUnix(t)
	c.AddVM(api.VM{Name: "web-1", Satellite: "s2"})
	got, err := client.VM(t.Context(), "web-1")
	if err != nil || got.Satellite != "s2" {
		t.Errorf("VM: %+v, %v", got, err)
	}
	_, want := c.Delete(t.Context(), api.DeleteRequest{VM: "web-1", Confirm: "web-2"})
	_, err = client.Delete(t.Context(), api.DeleteRequest{VM: "web-1", Confirm: "web-2"})
	var e, w *api.Error
	if !errors.As(err, &e) || !errors.As(want, &w) || *e != *w {
		t.Errorf("the error became %#v, it was %#v", err, want)
	}
	for _, p := range []*int{nil, new(0), new(50)} { // none is not nought
		set, err := client.TreePriority(t.Context(), api.TreePriorityRequest{Satellite: "s2", Priority: p})
		if err != nil || set.Set != (p != nil) || set.Set && set.Priority != *p {
			t.Errorf("%v became %+v, %v", p, set, err)
		}
	}
	r, err := client.Search(t.Context(), api.Query{Words: []string{"web"}})
	if err != nil || len(r.Items) != 1 || r.Items[0].VM == nil {
		t.Errorf("search: %+v, %v", r, err)
	}
}

// TestAHugeRequestIsRefused: a thousand streams of one connection may each hold one in memory.
func TestAHugeRequestIsRefused(t *testing.T) {
	_, client := overUnix(t)
	if _, err := client.Search(t.Context(), api.Query{Words: []string{strings.Repeat("x", MaxRequest)}}); err == nil {
		t.Error("it was taken")
	}
	if _, err := client.Search(t.Context(), api.Query{Words: []string{strings.Repeat("x", MaxRequest/2)}}); err != nil {
		t.Error(err)
	}
}

func TestAnEngineThatIsNotThereIsUnavailable(t *testing.T) {
	_, err := DialUnix(filepath.Join(t.TempDir(), "none")).Hello(t.Context())
	if api.CodeOf(err) != api.CodeUnavailable {
		t.Errorf("got %v", err)
	}
}

func TestEventsOfAJobEndWithIt(t *testing.T) {
	_, client := overUnix(t)
	job, err := client.Create(t.Context(), api.CreateRequest{Name: "web-1", From: "tiny"})
	if err != nil {
		t.Fatal(err)
	}
	var last api.Job
	err = client.Events(t.Context(), api.EventsRequest{Job: job.ID}, func(e api.Event) error { last = *e.Job; return nil })
	if err != nil || last.State != api.JobDone {
		t.Errorf("ended with %v, %+v", err, last)
	}
}

func TestEventsEndWithTheirReader(t *testing.T) {
	c, client := overUnix(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	enough := errors.New("enough")
	go func() {
		for n := 0; ctx.Err() == nil; n++ {
			c.AddVM(api.VM{Name: "web-" + string(rune('a'+n%26)) + time.Now().Format("150405000000"), Satellite: "s1"})
			time.Sleep(10 * time.Millisecond)
		}
	}()
	if err := client.Events(ctx, api.EventsRequest{}, func(api.Event) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("the reader's error came back as %v", err)
	}
}

func TestConsoleCarriesBytesBothWays(t *testing.T) {
	c, client := overUnix(t)
	c.AddVM(api.VM{Name: "web-1", Satellite: "s1"})
	if _, err := client.Console(t.Context(), "nobody"); api.CodeOf(err) != api.CodeNotFound {
		t.Errorf("no such VM: %v", err)
	}
	con, err := client.Console(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(con, "echo hello\r"); err != nil {
		t.Fatal(err)
	}
	var seen bytes.Buffer
	buf := make([]byte, 100)
	for !bytes.Contains(seen.Bytes(), []byte("echo hello")) {
		n, err := con.Read(buf)
		if err != nil {
			t.Fatalf("after %q: %v", seen.String(), err)
		}
		seen.Write(buf[:n])
	}
	con.Close()
	for { // what was under way may still come; then the end
		if _, err := con.Read(buf); err != nil {
			break
		}
	}
}

func TestABrokenConnectionIsToldInWords(t *testing.T) {
	for _, cause := range []error{io.ErrUnexpectedEOF, fmt.Errorf("read: %w", syscall.ECONNRESET)} {
		err := fromWire(connect.NewError(connect.CodeUnavailable, cause))
		var e *api.Error
		if !errors.As(err, &e) || e.Code != api.CodeUnavailable || !strings.Contains(e.Message, "went away") || e.Hint == "" {
			t.Errorf("%v became %v", cause, err)
		}
	}
	if err := fromWire(connect.NewError(connect.CodeInternal, errors.New("no space"))); err.Error() != "no space" {
		t.Errorf("another trouble became %v", err)
	}
}
