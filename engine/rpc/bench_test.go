package rpc

import (
	"net"
	"path/filepath"
	"testing"

	"decenter/engine/api"
	"decenter/engine/api/apitest"
)

// BenchmarkRequest is one question and its answer: of root on the unix socket, and of another satellite with its proof.
func BenchmarkRequest(b *testing.B) {
	hello := func(s api.Service) func(*testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Hello(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	c := apitest.New()
	b.Cleanup(c.Close)
	path := filepath.Join(b.TempDir(), "engine.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	s := NewServer(NewHandler(c))
	go func() { _ = s.Serve(l) }()
	b.Cleanup(func() { _ = s.Close() })
	b.Run("unix", hello(DialUnix(path)))
	_, peer := newPeer(b).from(b, newID(b))
	b.Run("peer", hello(peer))
}

// BenchmarkHandler is what it costs to make a handler for each request of another satellite.
func BenchmarkHandler(b *testing.B) {
	of := methods()["Search"]
	for b.Loop() {
		of(nil)
	}
}
