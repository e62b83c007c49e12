package demo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/satchel-go/satchel/core"
)

// Item is something to pack.
type Item struct {
	Name  string
	Count int
}

const (
	maxItems = 20
	maxCount = 99
)

var (
	// items is a session value of any type that can be encoded.
	items = core.NewKey[[]Item]("items")

	// removed is a typed flash: what the next page offers to put back.
	removed = core.NewFlashKey[Item]("removed")

	rejectedItem = core.NewFlashKey[rejected]("item")
)

// ListPage is the packing list with the form to add to it.
type ListPage struct {
	Items []Item
	Form  rejected
}

// Home shows the packing list.
func (a *App) Home(s *core.Session) Page {
	p, done := a.page(s, "/", "Packing list")
	if done {
		return p
	}
	form, _ := rejectedItem.Take(s)
	list, err := items.Lookup(s)
	if err != nil && !isNotFound(err) {
		return p.failed(err)
	}
	p.List = &ListPage{Items: list, Form: form}
	return p
}

// AddItem packs something.
func (a *App) AddItem(s *core.Session, form Form) string {
	if s.UserID() == "" {
		return signInFirst(s)
	}
	list, _ := items.Get(s)
	item, wrong := readItem(form, list)
	if len(wrong) > 0 {
		// Back to the form, with what was entered and what to change.
		rejectedItem.Add(s, rejected{
			Values: map[string]string{"name": form("name"), "count": form("count")},
			Errors: wrong,
		})
		s.Flash("error", "Nothing was packed. Please look at the form again.")
		return "/"
	}
	// Update sees the newest list and may run again: no overlapping request
	// is overwritten.
	items.Update(s, func(list []Item) []Item { return add(list, item) })
	s.Flash("success", fmt.Sprintf("Packed %d × %s.", item.Count, item.Name))
	if len(list)+1 == maxItems {
		s.Flash("warning", "Your satchel is full now.")
	}
	return "/"
}

func readItem(form Form, list []Item) (Item, map[string]string) {
	wrong := map[string]string{}
	item := Item{Name: strings.TrimSpace(form("name"))}
	switch {
	case item.Name == "":
		wrong["name"] = "Enter what to pack."
	case utf8.RuneCountInString(item.Name) > 60:
		wrong["name"] = "Use 60 characters or fewer."
	case len(list) >= maxItems && at(list, item.Name) < 0:
		wrong["name"] = "Your satchel is full. Remove something first."
	}
	var err error
	if item.Count, err = strconv.Atoi(strings.TrimSpace(form("count"))); err != nil || item.Count < 1 || item.Count > maxCount {
		wrong["count"] = fmt.Sprintf("Enter 1 to %d.", maxCount)
	}
	return item, wrong
}

// MoreItem packs one more of something.
func (a *App) MoreItem(s *core.Session, form Form) string {
	return change(s, form("name"), +1)
}

// LessItem packs one less, and at least one.
func (a *App) LessItem(s *core.Session, form Form) string {
	return change(s, form("name"), -1)
}

func change(s *core.Session, name string, by int) string {
	if s.UserID() == "" {
		return signInFirst(s)
	}
	items.Update(s, func(list []Item) []Item {
		if i := at(list, name); i >= 0 {
			list[i].Count = min(max(list[i].Count+by, 1), maxCount)
		}
		return list
	})
	return "/"
}

// RemoveItem takes something out. The next page offers to put it back.
func (a *App) RemoveItem(s *core.Session, form Form) string {
	if s.UserID() == "" {
		return signInFirst(s)
	}
	name := form("name")
	list, _ := items.Get(s)
	if i := at(list, name); i >= 0 {
		removed.Add(s, list[i])
		items.Update(s, func(list []Item) []Item {
			return slices.DeleteFunc(list, func(item Item) bool { return strings.EqualFold(item.Name, name) })
		})
	}
	return "/"
}

// signInFirst is the answer to forms of those who are not, or no longer,
// signed in.
func signInFirst(s *core.Session) string {
	s.Flash("info", "Please sign in first.")
	return "/"
}

func add(list []Item, item Item) []Item {
	if i := at(list, item.Name); i >= 0 {
		list[i].Count = min(list[i].Count+item.Count, maxCount)
		return list
	}
	return append(list, item)
}

func at(list []Item, name string) int {
	return slices.IndexFunc(list, func(item Item) bool { return strings.EqualFold(item.Name, name) })
}
