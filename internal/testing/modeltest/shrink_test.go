package modeltest

import "slices"

// shrink makes a schedule as small as possible while fails reports that it still
// fails: fewer actors, operations, mishaps and turns (delta debugging).
func shrink(s *schedule, fails func(*schedule) bool) *schedule {
	for tries, again := 0, true; again && tries < 10; tries++ {
		again = false
		for _, smaller := range []func(*schedule, func(*schedule) bool) (*schedule, bool){
			fewerActors, fewerOps, fewerFaults, plainer, fewerTurns,
		} {
			next, did := smaller(s, fails)
			s, again = next, again || did
		}
	}
	return s
}

func (s *schedule) clone() *schedule {
	c := *s
	c.turns, c.actors = slices.Clone(s.turns), slices.Clone(s.actors)
	return &c
}

// without tries to drop chunks of a list, large ones first.
func without[T any](list []T, fails func([]T) bool) ([]T, bool) {
	did := false
	for size := len(list); size > 0; size /= 2 {
		for at := 0; at+size <= len(list); {
			rest := slices.Delete(slices.Clone(list), at, at+size)
			if fails(rest) {
				list, did = rest, true
			} else {
				at += size
			}
		}
	}
	return list, did
}

func fewerActors(s *schedule, fails func(*schedule) bool) (*schedule, bool) {
	did := false
	for i := range slices.Backward(s.actors) {
		c := s.clone()
		c.actors = slices.Delete(c.actors, i, i+1)
		c.turns = nil
		for _, who := range s.turns {
			if who != i {
				c.turns = append(c.turns, who-btoi(who > i))
			}
		}
		if fails(c) {
			s, did = c, true
		}
	}
	return s, did
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// forEachActor tries a change to each actor's list.
func forEachActor[T any](s *schedule, fails func(*schedule) bool, list func(*script) *[]T) (*schedule, bool) {
	did := false
	for i := range s.actors {
		rest, fewer := without(*list(&s.actors[i]), func(rest []T) bool {
			c := s.clone()
			*list(&c.actors[i]) = rest
			return fails(c)
		})
		if fewer {
			s = s.clone()
			*list(&s.actors[i]) = rest
			did = true
		}
	}
	return s, did
}

func fewerOps(s *schedule, fails func(*schedule) bool) (*schedule, bool) {
	s, early := forEachActor(s, fails, func(a *script) *[]op { return &a.ops })
	s, late := forEachActor(s, fails, func(a *script) *[]op { return &a.late })
	return s, early || late
}

func fewerFaults(s *schedule, fails func(*schedule) bool) (*schedule, bool) {
	return forEachActor(s, fails, func(a *script) *[]fault { return &a.faults })
}

// plainer tries to remove what makes actors and the setup special.
func plainer(s *schedule, fails func(*schedule) bool) (*schedule, bool) {
	did := false
	try := func(change func(*schedule) bool) {
		if c := s.clone(); change(c) && fails(c) {
			s, did = c, true
		}
	}
	for i := range s.actors {
		for _, plain := range []func(*script){
			func(a *script) { a.cookie, a.method, a.says = "", "", "" },
			func(a *script) { a.hangup, a.lost, a.early, a.far = false, false, false, false },
			func(a *script) {
				if a.role == request {
					a.status = 200
				}
			},
			func(a *script) { a.client = 0 },
		} {
			try(func(c *schedule) bool {
				before := c.actors[i].String()
				plain(&c.actors[i])
				return c.actors[i].String() != before
			})
		}
	}
	try(func(c *schedule) bool {
		plain := setup{maxFlashes: 32}
		differs := c.setup != plain
		c.setup = plain
		return differs
	})
	return s, did
}

func fewerTurns(s *schedule, fails func(*schedule) bool) (*schedule, bool) {
	turns, did := without(s.turns, func(turns []int) bool {
		c := s.clone()
		c.turns = turns
		return fails(c)
	})
	s = s.clone()
	s.turns = turns
	return s, did
}
