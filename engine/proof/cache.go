package proof

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

// maxVerified bounds the lines that are known to be signed. An entry takes about 400 bytes.
const maxVerified = 4096

// digest names a line and its signature.
type digest [sha256.Size]byte

func digestOf(line, signature string) digest {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(line)+len(signature)), uint32(len(line)))
	b = append(b, line...)
	return sha256.Sum256(append(b, signature...))
}

// cache holds what signed lines say, the least recently used going first. Only what was verified is put into it.
type cache struct {
	mu    sync.Mutex // guards all below
	max   int
	order *list.List // of *cached, the last used in front
	have  map[digest]*list.Element
}

type cached struct {
	digest digest
	claim  claim
}

func newCache(max int) *cache {
	return &cache{max: max, order: list.New(), have: map[digest]*list.Element{}}
}

func (c *cache) get(d digest) (claim, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.have[d]
	if !ok {
		return claim{}, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).claim, true
}

func (c *cache) put(d digest, what claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.have[d]; ok {
		return
	}
	if c.order.Len() >= c.max {
		last := c.order.Back()
		delete(c.have, c.order.Remove(last).(*cached).digest)
	}
	c.have[d] = c.order.PushFront(&cached{d, what})
}
