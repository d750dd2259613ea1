module sandbox.kubently.test/pause

go 1.26
