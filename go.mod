module github.com/satchel-go/satchel

go 1.25.0
