package directory

import (
	"container/list"
	"time"

	"decenter/engine/api"
)

// answer is what the directory said of an account: a role, or why there is none.
type answer struct {
	role   api.Role
	denied *api.Error // nil: role holds
	at     time.Time
}

// fresh tells whether the answer can be given without asking again. A clock that was set back makes it old.
func (a answer) fresh(now time.Time) bool {
	life := PositiveLife
	if a.denied != nil {
		life = NegativeLife
	}
	return a.within(life, now)
}

func (a answer) within(life time.Duration, now time.Time) bool {
	return !now.Before(a.at) && now.Before(a.at.Add(life))
}

func (a answer) result() (api.Role, error) {
	if a.denied != nil {
		return api.RoleNone, a.denied
	}
	return a.role, nil
}

// cache holds the answers about the accounts that were asked for last. Invariant: order and byAccount have the same, at most
// MaxCached, entries.
type cache struct {
	order     *list.List // of *cached, the one used last in front
	byAccount map[string]*list.Element
}

type cached struct {
	account string
	answer  answer
}

func newCache() cache { return cache{list.New(), map[string]*list.Element{}} }

func (c *cache) get(account string) (answer, bool) {
	e, ok := c.byAccount[account]
	if !ok {
		return answer{}, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).answer, true
}

func (c *cache) put(account string, a answer) {
	if e, ok := c.byAccount[account]; ok {
		e.Value.(*cached).answer = a
		c.order.MoveToFront(e)
		return
	}
	c.byAccount[account] = c.order.PushFront(&cached{account, a})
	if c.order.Len() > MaxCached {
		last := c.order.Back()
		delete(c.byAccount, last.Value.(*cached).account)
		c.order.Remove(last)
	}
}
