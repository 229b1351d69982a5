SELECT profile FROM profiles WHERE ${chosen}
