package demo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/form"
)

// Item is something to pack.
type Item struct {
	Name  string
	Count int
}

// itemInput is what was entered in the form. The count is a text, so that "some"
// can be shown again.
type itemInput struct {
	Name  string `form:"name"`
	Count string `form:"count"`
}

const (
	maxItems = 20
	maxCount = 99
)

var (
	// items is a session value of any type that can be encoded.
	items = core.NewKey[[]Item]("items")

	// removed is a typed flash: the item that the next page offers to put back.
	removed = core.NewFlashKey[Item]("removed")

	// itemForm carries a form with errors to the page that shows it again.
	itemForm = form.New[itemInput]("item")
)

// ListPage is the packing list with the form to add to it.
type ListPage struct {
	Items []Item
	Form  *form.Page[itemInput]
}

// Home shows the packing list.
func (a *App) Home(s *core.Session) Page {
	p, done := a.page(s, "/", "Packing list")
	if done {
		return p
	}
	list, err := items.Lookup(s)
	if err != nil && !isNotFound(err) {
		return p.failed(err)
	}
	p.List = &ListPage{Items: list, Form: itemForm.Take(s)}
	return p
}

// AddItem packs something.
func (a *App) AddItem(s *core.Session, field Field) string {
	if s.UserID() == "" {
		return signInFirst(s)
	}
	list, _ := items.Get(s)
	input := itemInput{Name: strings.TrimSpace(field("name")), Count: strings.TrimSpace(field("count"))}
	item, errs := input.read(list)
	if len(errs) > 0 {
		// Back to the form, with what was entered and what to change.
		itemForm.Fail(s, input, errs)
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

func (in itemInput) read(list []Item) (item Item, errs form.Errors) {
	switch {
	case in.Name == "":
		errs.Add("name", "Enter what to pack.")
	case utf8.RuneCountInString(in.Name) > 60:
		errs.Add("name", "Use 60 characters or fewer.")
	case len(list) >= maxItems && at(list, in.Name) < 0:
		errs.Add("name", "Your satchel is full. Remove something first.")
	}
	count, err := strconv.Atoi(in.Count)
	if err != nil || count < 1 || count > maxCount {
		errs.Add("count", fmt.Sprintf("Enter 1 to %d.", maxCount))
	}
	return Item{Name: in.Name, Count: count}, errs
}

// MoreItem packs one more of something.
func (a *App) MoreItem(s *core.Session, field Field) string {
	return change(s, field("name"), +1)
}

// LessItem packs one less, and at least one.
func (a *App) LessItem(s *core.Session, field Field) string {
	return change(s, field("name"), -1)
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
func (a *App) RemoveItem(s *core.Session, field Field) string {
	if s.UserID() == "" {
		return signInFirst(s)
	}
	name := field("name")
	list, _ := items.Get(s)
	if i := at(list, name); i >= 0 {
		removed.Add(s, list[i])
		items.Update(s, func(list []Item) []Item {
			return slices.DeleteFunc(list, func(item Item) bool { return strings.EqualFold(item.Name, name) })
		})
	}
	return "/"
}

// signInFirst is the answer to forms of visitors who are not, or no longer,
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
