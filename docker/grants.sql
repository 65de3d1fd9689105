-- Run once by the images' own entry point. The account of a test server kills connections and sets global variables.
GRANT ALL PRIVILEGES ON *.* TO 'boomerang'@'%' WITH GRANT OPTION;
